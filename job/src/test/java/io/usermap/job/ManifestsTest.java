package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.job.State.Version;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayDeque;
import java.util.Queue;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Manifests that somebody else publishes and removes while they are read. */
class ManifestsTest {
    @TempDir
    private java.nio.file.Path folder;

    private final Meanwhile files = new Meanwhile();
    private Manifests manifests = new Manifests(new LedgerFolder(files, new Path("unset")));

    /** Folders of this machine; something happens before each of the next files is opened. */
    private static final class Meanwhile extends RawLocalFileSystem {
        private final Queue<Runnable> events = new ArrayDeque<>();

        @Override
        public FSDataInputStream open(Path file, int buffer) throws IOException {
            Runnable next = events.poll();
            if (next != null) {
                next.run();
            }
            return super.open(file, buffer);
        }
    }

    @BeforeEach
    void oneVersion() throws IOException {
        files.initialize(URI.create("file:///"), new Configuration(false));
        manifests = new Manifests(new LedgerFolder(files, new Path(folder.toString())));
        publish(1);
    }

    private void publish(long version) {
        manifests.publish(new Version(version, java.util.List.of(), 0, 0, "a run"));
    }

    /** As forgetting a user does: no older version stays. */
    private void publishInPlaceOfAll(long version) {
        publish(version);
        manifests.keep(1);
    }

    @Test
    void areListedAgainWhereTheOnlyOneGoesBeforeItIsRead() {
        files.events.add(() -> publishInPlaceOfAll(2));

        assertThat(manifests.current().version()).isEqualTo(2);
        assertThat(files.events).isEmpty();
    }

    @Test
    void areListedUntilNothingChanges() {
        files.events.add(() -> publishInPlaceOfAll(2));
        files.events.add(() -> publishInPlaceOfAll(3));

        assertThat(manifests.current().version()).isEqualTo(3);
        assertThat(files.events).isEmpty();
    }

    @Test
    void countWhenTheyWerePublishedWhileAnotherWasRead() {
        files.events.add(() -> publish(2));

        assertThat(manifests.current().version()).isEqualTo(2);
    }
}
