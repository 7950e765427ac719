package io.usermap.spark;

import io.usermap.sandbox.Sandbox;
import io.usermap.sandbox.SandboxOptions;
import io.usermap.sandbox.SandboxRequest;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A sandbox in a process of its own, which tells what it received.
 *
 * <p>Says its endpoint; then, to each line that it hears, {@code requests throttled most-in-window} and one line a request:
 * {@code arrived-nanos mappings first-user}.
 */
final class SandboxProcess {
    private SandboxProcess() {}

    /** What a sandbox in another process received. */
    record Received(int throttled, int mostInWindow, List<Arrival> arrivals) {
        static Received ask(ChildJvm sandbox) throws Exception {
            sandbox.say("tell");
            String[] figures = sandbox.hear().split(" ", 3);
            List<Arrival> arrivals = new ArrayList<>();
            for (int i = 0; i < Integer.parseInt(figures[0]); i++) {
                String[] request = sandbox.hear().split(" ", 3);
                arrivals.add(new Arrival(Long.parseLong(request[0]), Integer.parseInt(request[1]), request[2]));
            }
            return new Received(Integer.parseInt(figures[1]), Integer.parseInt(figures[2]), arrivals);
        }

        /** The requests whose first user's id begins so. */
        List<Arrival> of(String prefix) {
            return arrivals.stream()
                    .filter(arrival -> arrival.firstUser().startsWith(prefix))
                    .toList();
        }
    }

    /** A request. */
    record Arrival(long nanos, int mappings, String firstUser) {
        /** How many mappings all of {@code arrivals} brought. */
        static int mappings(List<Arrival> arrivals) {
            return arrivals.stream().mapToInt(Arrival::mappings).sum();
        }
    }

    /** Arguments: events a second, milliseconds of the window. */
    public static void main(String[] arguments) throws Exception {
        try (Sandbox sandbox = Sandbox.start(SandboxOptions.builder()
                        .eventsPerSecond(Integer.parseInt(arguments[0]))
                        .window(Duration.ofMillis(Long.parseLong(arguments[1])))
                        .build());
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println(sandbox.endpoint());
            while (in.readLine() != null) {
                List<SandboxRequest> requests = sandbox.requests();
                System.out.println(requests.size() + " " + sandbox.counts().throttled() + " " + sandbox.mostInWindow());
                for (SandboxRequest request : requests) {
                    System.out.println(request.arrivedNanos() + " "
                            + request.mappings().size() + " "
                            + request.mappings().get(0).userId());
                }
            }
        }
    }
}
