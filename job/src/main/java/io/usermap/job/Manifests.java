package io.usermap.job;

import io.usermap.job.State.Version;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The manifests of a state, one for each version that was published; small files, sealed against a torn end.
 *
 * @param folder the state's
 */
record Manifests(LedgerFolder folder) {
    private static final String NAME = "manifest-";

    /**
     * The newest version that was published in full.
     *
     * @throws StoppedException if versions were published and none can be read
     */
    Version current() {
        List<String> names = names();
        Optional<Version> newest = versions(names).findFirst();
        // Somebody may publish or forget meanwhile, and remove what was listed.
        for (List<String> now = names(); !now.equals(names); now = names()) {
            names = now;
            newest = versions(names).findFirst();
        }
        if (newest.isEmpty() && !wereCutShort(names)) {
            throw StoppedException.failed("Cannot read the state " + folder.path() + ": none of its " + names.size()
                    + " manifests is whole, and without one everything would look new. Restore the"
                    + " ledger from a copy; 'usermap verify --adopt' fills a new one from the service.");
        }
        return newest.orElse(Version.NONE);
    }

    /** Whether these are the very first versions, and each of them ends before its end: then there never was a state. */
    private boolean wereCutShort(List<String> names) {
        return newestNumber() == names.size()
                && names.stream().noneMatch(name -> folder.read(name).orElse("").endsWith("}\n"));
    }

    /** The newest {@code count} versions that are there, but for those whose manifest is torn. */
    Stream<Version> newest(int count) {
        return versions(names().stream().limit(count).toList());
    }

    /** All versions that are there, the newest first, but for those whose manifest is torn. */
    Stream<Version> versions() {
        return versions(names());
    }

    private Stream<Version> versions(List<String> names) {
        return names.stream()
                .flatMap(name -> folder.read(name).flatMap(text -> Json.unsealed(text, Version.class)).stream());
    }

    /** The number of the newest manifest, whole or torn; 0 if there is none. */
    long newestNumber() {
        return names().stream()
                .findFirst()
                .map(name -> Long.parseLong(name.substring(NAME.length(), name.length() - ".json".length())))
                .orElse(0L);
    }

    /**
     * Makes {@code version} count.
     *
     * @throws StoppedException if its number is taken: somebody else has published meanwhile
     */
    void publish(Version version) {
        // Whoever was paused for long on the way here finds the number taken, also between the two.
        if (newestNumber() >= version.version() || !folder.writeNew(name(version.version()), Json.sealed(version))) {
            throw StoppedException.failed(
                    "Cannot use the ledger: another run has published a state while this one worked on"
                            + " its own, which therefore counts for nothing. Run the command again.");
        }
    }

    /** Removes all but the newest {@code count}. */
    void keep(int count) {
        names().stream().skip(count).forEach(folder::delete);
    }

    /** Their names, the newest first. */
    private List<String> names() {
        return folder.names().stream()
                .filter(name -> name.startsWith(NAME))
                .sorted(Comparator.reverseOrder())
                .toList();
    }

    private static String name(long version) {
        return NAME + "%012d".formatted(version) + ".json";
    }
}
