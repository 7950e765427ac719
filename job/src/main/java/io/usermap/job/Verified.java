package io.usermap.job;

/**
 * What {@code verify} has found, as {@code report.json} and {@code --format json} tell it. Holds no id.
 *
 * @param of what was compared with the service: {@code state 3}, {@code plan} and a run, or {@code source and state 3}
 * @param population users that it holds
 * @param lookedUp users of these that were looked up
 * @param agreed users who are mapped as they should be, or not mapped as they should not be
 * @param missing users without a mapping who should have one
 * @param different users with another mapping than they should have, or with several, or with one who should have none
 * @param unknown users of whom the service told nothing
 * @param driftShare missing and different ones, of those of whom the service told
 * @param driftShareLow the least that it is of the whole population without the unknown ones, as {@link SampledShare} tells
 * @param driftShareHigh the most
 * @param confidence how sure these two are, 0 to 1
 * @param adopted users who were taken into the state, of whom more may be than were looked up
 * @param leftOut users with several mappings, who were not taken into the state
 * @param repair the run with the plan that repairs; empty without one
 */
record Verified(
        String of,
        long population,
        long lookedUp,
        long agreed,
        long missing,
        long different,
        long unknown,
        double driftShare,
        double driftShareLow,
        double driftShareHigh,
        double confidence,
        long adopted,
        long leftOut,
        String repair) {

    /** The figures of so many users. */
    static Verified of(String of, long population, long agreed, long missing, long different, long unknown) {
        long told = agreed + missing + different;
        SampledShare drift = SampledShare.of(missing + different, told, population - unknown);
        return new Verified(
                of,
                population,
                told + unknown,
                agreed,
                missing,
                different,
                unknown,
                drift.share(),
                drift.low(),
                drift.high(),
                SampledShare.CONFIDENCE,
                0,
                0,
                "");
    }

    /** Whether the service told nothing of more than half of the users: the others say little about these. */
    boolean tellsTooLittle() {
        return unknown * 2 > lookedUp;
    }

    /** Missing and different. */
    long drifted() {
        return missing + different;
    }

    Verified adopted(long users, long several) {
        return new Verified(
                of,
                population,
                lookedUp,
                agreed,
                missing,
                different,
                unknown,
                driftShare,
                driftShareLow,
                driftShareHigh,
                confidence,
                users,
                several,
                repair);
    }

    Verified repairedBy(String run) {
        return new Verified(
                of,
                population,
                lookedUp,
                agreed,
                missing,
                different,
                unknown,
                driftShare,
                driftShareLow,
                driftShareHigh,
                confidence,
                adopted,
                leftOut,
                run);
    }

    /** What a person reads at the end. */
    String summary(String run) {
        StringBuilder text = new StringBuilder();
        text.append("verify ").append(run).append(": ").append(Phrases.count(lookedUp));
        text.append(lookedUp < population ? " of " + Phrases.count(population) : "")
                .append(" users of ")
                .append(of);
        text.append(" looked up\n");
        line(text, "agreed", agreed, "");
        line(text, "missing", missing, "to be mapped, and the service has no mapping");
        line(text, "different", different, "mapped elsewhere, or mapped and not to be");
        line(text, "unknown", unknown, "the service told nothing");
        text.append("  drift ").append(Phrases.percent(driftShare));
        if (lookedUp < population) {
            text.append("; of all ")
                    .append(Phrases.percent(driftShareLow))
                    .append(" to ")
                    .append(Phrases.percent(driftShareHigh))
                    .append(" with 95 % confidence (Clopper-Pearson, finite population)");
        }
        if (adopted > 0) {
            text.append("\n  adopted ").append(Phrases.count(adopted)).append(" users into the state");
        }
        if (leftOut > 0) {
            text.append("\n  left out ").append(Phrases.count(leftOut)).append(" users with several mappings");
        }
        return text.toString();
    }

    private static void line(StringBuilder text, String name, long number, String remark) {
        String line = "  %-12s %10s  %s".formatted(name, Phrases.count(number), number == 0 ? "" : remark);
        text.append(line.stripTrailing()).append('\n');
    }
}
