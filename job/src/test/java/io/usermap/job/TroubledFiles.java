package io.usermap.job;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.util.Progressable;

/**
 * Folders of this machine as a Hadoop filesystem that has its troubles; for all of this JVM, one trouble at a time.
 *
 * <p>Public, because Hadoop makes it.
 */
public final class TroubledFiles extends RawLocalFileSystem {
    static final String SCHEME = "troubled";
    private static final Duration SLOW = Duration.ofMillis(20);
    private static final Trouble NONE = new Trouble() {};

    private static volatile Trouble trouble = NONE;

    /** What goes wrong; without anything of its own, nothing. */
    interface Trouble {
        /** Called before a file is created, and before anything is deleted or renamed. */
        default void alter(Path path) throws IOException {}

        /** How many bytes of {@code bytes} may still be written into {@code path}. */
        default int room(Path path, int bytes) {
            return bytes;
        }

        /** Whether a rename copies, slowly, file by file. */
        default boolean renameCopies() {
            return false;
        }

        /** Whether {@code path} cannot be renamed. */
        default boolean refusesRename(Path path) {
            return false;
        }
    }

    /** All is well again. */
    static void heal() {
        trouble = NONE;
    }

    static <T extends Trouble> T befall(T next) {
        trouble = next;
        return next;
    }

    /** Lets nothing be altered from the n-th alteration of some paths on; of a file that is created then, half is there. */
    static final class Death implements Trouble {
        private final Predicate<Path> paths;
        private final int at;
        private final AtomicInteger alterations = new AtomicInteger();

        Death(Predicate<Path> paths, int at) {
            this.paths = paths;
            this.at = at;
        }

        boolean hasCome() {
            return alterations.get() >= at;
        }

        @Override
        public void alter(Path path) throws IOException {
            if (hasCome()) {
                throw new IOException("Nothing can be written any more");
            }
            if (paths.test(path)) {
                alterations.incrementAndGet();
            }
        }

        @Override
        public int room(Path path, int bytes) {
            return hasCome() ? bytes / 2 : bytes;
        }

        @Override
        public boolean renameCopies() {
            return true;
        }
    }

    /** A disk without room for some files from the n-th on that was created; deleting goes on. */
    static final class FullDisk implements Trouble {
        private final Predicate<Path> files;
        private final int from;
        private final AtomicInteger created = new AtomicInteger();

        FullDisk(Predicate<Path> files, int from) {
            this.files = files;
            this.from = from;
        }

        boolean hasCome() {
            return created.get() >= from;
        }

        @Override
        public void alter(Path path) {
            if (files.test(path)) {
                created.incrementAndGet();
            }
        }

        @Override
        public int room(Path path, int bytes) {
            return hasCome() && files.test(path) ? bytes / 2 : bytes;
        }
    }

    /** Writes through while there is room, then says that the disk is full. */
    private static final class Limited extends FilterOutputStream {
        private final Path path;

        Limited(OutputStream out, Path path) {
            super(out);
            this.path = path;
        }

        @Override
        public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
        }

        /** What Hadoop makes of it is no exception but an error. */
        private static void failAsOnAFullDisk() throws IOException {
            RawLocalFileSystem files = new RawLocalFileSystem();
            files.initialize(URI.create("file:///"), new Configuration(false));
            try (OutputStream full = files.create(new Path("/dev/full"), true)) {
                full.write(0);
            }
            throw new IllegalStateException("/dev/full has room");
        }

        @Override
        public void write(byte[] bytes, int from, int length) throws IOException {
            int room = trouble.room(path, length);
            out.write(bytes, from, room);
            if (room < length) {
                out.flush();
                failAsOnAFullDisk();
            }
        }
    }

    @Override
    public URI getUri() {
        return URI.create(SCHEME + ":///");
    }

    @Override
    public String getScheme() {
        return SCHEME;
    }

    @Override
    public void initialize(URI uri, Configuration conf) throws IOException {
        super.initialize(getUri(), conf);
    }

    @Override
    public FSDataOutputStream create(
            Path path, boolean overwrite, int buffer, short replication, long block, Progressable progress)
            throws IOException {
        trouble.alter(path);
        return limited(path, super.create(path, overwrite, buffer, replication, block, progress));
    }

    @Override
    public FSDataOutputStream create(
            Path path,
            FsPermission permission,
            boolean overwrite,
            int buffer,
            short replication,
            long block,
            Progressable progress)
            throws IOException {
        trouble.alter(path);
        return limited(path, super.create(path, permission, overwrite, buffer, replication, block, progress));
    }

    private static FSDataOutputStream limited(Path path, FSDataOutputStream out) throws IOException {
        return new FSDataOutputStream(new Limited(out, path), null);
    }

    @Override
    public boolean delete(Path path, boolean recursive) throws IOException {
        if (!exists(path)) {
            return false;
        }
        trouble.alter(path);
        return super.delete(path, recursive);
    }

    @Override
    public boolean rename(Path from, Path to) throws IOException {
        if (trouble.refusesRename(from)) {
            throw new UnsupportedOperationException("Nothing can be renamed here");
        }
        if (!trouble.renameCopies()) {
            trouble.alter(from);
            return super.rename(from, to);
        }
        copy(from, to);
        return delete(from, true);
    }

    private void copy(Path from, Path to) throws IOException {
        if (getFileStatus(from).isDirectory()) {
            mkdirs(to);
            for (FileStatus child : listStatus(from)) {
                copy(child.getPath(), new Path(to, child.getPath().getName()));
            }
            return;
        }
        Waiting.pass(SLOW);
        try (InputStream in = open(from);
                OutputStream out = create(to, true)) {
            in.transferTo(out);
        }
    }
}
