package io.usermap.job;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * What befalls one night's run, and when; the same for the same seed. Pure.
 *
 * @param incidents in the order of their times, each counted from its own beginning
 */
record ChaosSchedule(List<Incident> incidents) {
    private static final int LATEST_FROM_START = 15_000;
    private static final int LATEST_WHILE_SENDING = 14_000;

    /** What happens to the processes, or to what they send and get. */
    enum Kind {
        /** SIGKILL of the driver; its executors go as they find out. */
        KILL_DRIVER,
        /** SIGTERM of the driver. */
        END_DRIVER,
        /** SIGSTOP of the driver, and SIGCONT. */
        STOP_DRIVER,
        /** SIGSTOP of driver and executors, another {@code apply} meanwhile, and SIGCONT. */
        TAKE_OVER,
        /** SIGKILL of an executor. */
        KILL_EXECUTOR,
        /** SIGSTOP of an executor, and SIGCONT. */
        STOP_EXECUTOR,
        /** SIGKILL of the sandbox, and a new one at the same port. */
        RESTART_SANDBOX,
        /** A script of faults for the sandbox, and its end. */
        FAULTS
    }

    /**
     * One thing that happens.
     *
     * @param sending whether {@code at} counts from the night's first request; from its beginning otherwise
     * @param at when it happens
     * @param lasts until it is put right; zero for what cannot be
     * @param fault the script's name and text; empty for other kinds
     */
    record Incident(boolean sending, Duration at, Kind kind, Duration lasts, Fault fault) {
        /** Whether it makes the service refuse some of the users. */
        boolean refusesUsers() {
            return fault.conditions().contains("\"ids\"");
        }

        /** Whether it makes the service refuse the key. */
        boolean refusesTheKey() {
            return fault.conditions().contains("\"status\": 401");
        }

        @Override
        public String toString() {
            String what = kind == Kind.FAULTS
                    ? fault.name()
                    : kind.name().toLowerCase(Locale.ROOT).replace('_', ' ');
            String length = lasts.isZero() ? "" : " for " + lasts.toMillis() + " ms";
            return what + length + " at " + at.toMillis() + " ms" + (sending ? " of sending" : "");
        }
    }

    /** A fault of the sandbox; in {@code conditions}, POISONED stands for some of the users. */
    private record Fault(String name, String conditions) {
        static final Fault NONE = new Fault("", "");
    }

    /** Those whose answer does not come are named {@code lost-...}. */
    private static final List<Fault> FAULTS = List.of(
            new Fault("server-error", "\"probability\": 0.6, \"status\": 500"),
            new Fault("unavailable", "\"status\": 503, \"retry_after\": 1"),
            new Fault("timed-out", "\"probability\": 0.6, \"status\": 408"),
            new Fault("stored-and-failed", "\"probability\": 0.6, \"status\": 500, \"stored\": true"),
            new Fault("late", "\"delay_request\": \"0ms-1500ms\", \"delay_answer\": \"0ms-1500ms\""),
            new Fault("too-late", "\"probability\": 0.4, \"delay_answer\": \"6s\""),
            new Fault("dropped", "\"probability\": 0.5, \"drop\": \"request\""),
            new Fault("lost-answer", "\"probability\": 0.5, \"drop\": \"answer\""),
            new Fault("half-a-body", "\"drop\": \"body\""),
            new Fault("slow-body", "\"byte_delay\": \"400ms\""),
            new Fault("endless-body", "\"endless_body\": true"),
            new Fault("odd-body", "\"status\": 200, \"stored\": true, \"body\": \"{\\\"a\\\": [\""),
            new Fault("poison", "\"ids\": [POISONED], \"status\": 400"),
            new Fault("firewall", "\"ids\": [POISONED], \"status\": 403"),
            new Fault("too-large", "\"ids\": [POISONED], \"status\": 413"),
            new Fault("redirect", "\"redirect\": \"http://127.0.0.1:1/usermap\""),
            new Fault("unknown-key", "\"status\": 401"));

    /** A night with four to eight incidents; {@code users} are those of whom some may be poison. */
    static ChaosSchedule of(Random random, List<String> users) {
        List<Incident> incidents = new ArrayList<>();
        int count = 4 + random.nextInt(5);
        for (int i = 0; i < count; i++) {
            boolean sending = random.nextInt(4) > 0;
            Duration at = Duration.ofMillis(random.nextInt(sending ? LATEST_WHILE_SENDING : LATEST_FROM_START));
            boolean fault = random.nextInt(3) == 0;
            Kind kind = fault ? Kind.FAULTS : Kind.values()[random.nextInt(Kind.values().length)];
            Duration lasts = switch (kind) {
                case KILL_DRIVER, END_DRIVER, KILL_EXECUTOR -> Duration.ZERO;
                case STOP_DRIVER, STOP_EXECUTOR -> Duration.ofMillis(500 + random.nextInt(7_500));
                case TAKE_OVER -> Duration.ofMillis(8_000 + random.nextInt(10_000));
                case RESTART_SANDBOX -> Duration.ofMillis(200 + random.nextInt(3_800));
                case FAULTS -> Duration.ofMillis(1_000 + random.nextInt(5_000));
            };
            incidents.add(
                    new Incident(sending, at, kind, lasts, kind == Kind.FAULTS ? fault(random, users, i) : Fault.NONE));
        }
        incidents.sort(Comparator.comparing(Incident::at));
        return new ChaosSchedule(List.copyOf(incidents));
    }

    private static Fault fault(Random random, List<String> users, int number) {
        Fault fault = FAULTS.get(random.nextInt(FAULTS.size()));
        List<String> poisoned = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            poisoned.add('"' + users.get(random.nextInt(users.size())) + '"');
        }
        String conditions = fault.conditions().replace("POISONED", String.join(", ", poisoned));
        return new Fault(
                fault.name(),
                "{\"seed\": %d, \"faults\": [{\"name\": \"%s-%d\", \"path\": \"map\", %s}]}"
                        .formatted(random.nextInt(1_000), fault.name(), number, conditions));
    }

    /** The script of an incident with faults. */
    static String script(Incident incident) {
        return incident.fault().conditions();
    }

    /** The name that the script gives its fault. */
    static String faultName(Incident incident) {
        String script = script(incident);
        int from = script.indexOf("\"name\": \"") + 9;
        return script.substring(from, script.indexOf('"', from));
    }
}
