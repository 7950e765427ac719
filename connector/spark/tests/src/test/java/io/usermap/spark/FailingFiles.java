package io.usermap.spark;

import java.io.File;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.util.Progressable;
import org.jspecify.annotations.Nullable;

/** A filesystem that fails, as remote ones do, when a file is closed. */
public final class FailingFiles extends RawLocalFileSystem {
    static final String SCHEME = "failing";

    private static final AtomicReference<@Nullable IOException> NEXT = new AtomicReference<>();

    /** The next file that is closed fails by {@code failure}, and no other. */
    static void atNextClose(IOException failure) {
        NEXT.set(failure);
    }

    /** Whether that has come to pass. */
    static boolean hasFailed() {
        return NEXT.get() == null;
    }

    private static void failIfItIsTime() throws IOException {
        IOException failure = NEXT.getAndSet(null);
        if (failure != null) {
            throw failure;
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
    protected void checkPath(Path path) {
        // Those of the local filesystem, by another name.
    }

    @Override
    public File pathToFile(Path path) {
        return new File(path.toUri().getPath());
    }

    @Override
    public FSDataOutputStream create(
            Path path, boolean overwrite, int buffer, short replication, long block, @Nullable Progressable progress)
            throws IOException {
        OutputStream file = super.create(path, overwrite, buffer, replication, block, progress);
        return new FSDataOutputStream(new Closing(file), null);
    }

    private static final class Closing extends FilterOutputStream {
        Closing(OutputStream file) {
            super(file);
        }

        @Override
        public void write(byte[] bytes, int from, int count) throws IOException {
            out.write(bytes, from, count);
        }

        @Override
        public void close() throws IOException {
            out.close();
            failIfItIsTime();
        }
    }
}
