package io.usermap.spark;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.ChecksumFileSystem;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FSError;
import org.apache.hadoop.fs.FSInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FilterFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.util.Progressable;
import org.jspecify.annotations.Nullable;

/**
 * Any Hadoop filesystem, with the two odd ways of a local one put right.
 *
 * <p>No checksums of Hadoop's own beside its files: of a file that is cut short they would keep the whole lines, too, from
 * being read. And a read or a write that fails, on a full disk for example, is an {@link IOException} as on all others; Hadoop
 * throws an {@link FSError} there, which nobody expects who handles exceptions.
 */
public final class RawFiles extends FilterFileSystem {

    private RawFiles(FileSystem files) {
        super(files);
    }

    /** The filesystem at {@code path}; what is behind it is shared by all who ask, so nobody closes it. */
    public static FileSystem at(Path path, Configuration hadoop) throws IOException {
        FileSystem files = path.getFileSystem(hadoop);
        return new RawFiles(files instanceof ChecksumFileSystem checked ? checked.getRawFileSystem() : files);
    }

    @Override
    public FSDataOutputStream create(
            Path path, boolean overwrite, int buffer, short replication, long block, @Nullable Progressable progress)
            throws IOException {
        return new FSDataOutputStream(
                new Output(fs.create(path, overwrite, buffer, replication, block, progress)), null);
    }

    @Override
    public FSDataInputStream open(Path path, int buffer) throws IOException {
        return new FSDataInputStream(new Input(fs.open(path, buffer)));
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof RawFiles files && fs.equals(files.fs);
    }

    @Override
    public int hashCode() {
        return fs.hashCode();
    }

    private static IOException failure(FSError e) {
        return e.getCause() instanceof IOException cause ? cause : new IOException(e);
    }

    private static final class Output extends FilterOutputStream {
        Output(OutputStream out) {
            super(out);
        }

        @Override
        public void write(int value) throws IOException {
            try {
                out.write(value);
            } catch (FSError e) {
                throw failure(e);
            }
        }

        @Override
        public void write(byte[] bytes, int from, int count) throws IOException {
            try {
                out.write(bytes, from, count);
            } catch (FSError e) {
                throw failure(e);
            }
        }

        @Override
        public void flush() throws IOException {
            try {
                out.flush();
            } catch (FSError e) {
                throw failure(e);
            }
        }

        @Override
        public void close() throws IOException {
            try {
                out.close();
            } catch (FSError e) {
                throw failure(e);
            }
        }
    }

    private static final class Input extends FSInputStream {
        private final FSDataInputStream in;

        Input(FSDataInputStream in) {
            this.in = in;
        }

        @Override
        public int read() throws IOException {
            try {
                return in.read();
            } catch (FSError e) {
                throw failure(e);
            }
        }

        @Override
        public int read(byte[] bytes, int from, int count) throws IOException {
            try {
                return in.read(bytes, from, count);
            } catch (FSError e) {
                throw failure(e);
            }
        }

        @Override
        public void seek(long position) throws IOException {
            in.seek(position);
        }

        @Override
        public long getPos() throws IOException {
            return in.getPos();
        }

        @Override
        public boolean seekToNewSource(long position) throws IOException {
            return in.seekToNewSource(position);
        }

        @Override
        public void close() throws IOException {
            in.close();
        }
    }
}
