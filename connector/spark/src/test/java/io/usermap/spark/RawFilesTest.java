package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FSDataOutputStream;
import org.apache.hadoop.fs.FileSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RawFilesTest {
    @TempDir
    private Path folder;

    private final Configuration hadoop = new Configuration(false);

    private FileSystem files() throws IOException {
        return RawFiles.at(new org.apache.hadoop.fs.Path(folder.toUri()), hadoop);
    }

    private static org.apache.hadoop.fs.Path path(String name) {
        return new org.apache.hadoop.fs.Path(name);
    }

    @Test
    void aFullDiskIsAnExceptionWheneverItIsNoticed() throws IOException {
        FSDataOutputStream atFlush = files().create(path("/dev/full"), true);
        atFlush.write(1);
        assertThatThrownBy(atFlush::flush).isInstanceOf(IOException.class).hasMessage("No space left on device");
        assertThatThrownBy(atFlush::close).isInstanceOf(IOException.class);

        FSDataOutputStream atClose = files().create(path("/dev/full"), true);
        atClose.write(1);
        assertThatThrownBy(atClose::close).isInstanceOf(IOException.class).hasMessage("No space left on device");

        try (OutputStream atWrite = files().create(path("/dev/full"), true)) {
            assertThatThrownBy(() -> atWrite.write(new byte[1 << 20]))
                    .isInstanceOf(IOException.class)
                    .hasMessage("No space left on device");
        }
    }

    @Test
    void theSameFilesystemIsEqual() throws IOException {
        assertThat(files()).isEqualTo(files()).hasSameHashCodeAs(files());
    }

    @Test
    void aReadThatFailsIsAnException() throws IOException {
        // Nothing is mapped at address 0.
        try (InputStream in = files().open(path("/proc/self/mem"))) {
            assertThatThrownBy(() -> in.read(new byte[10]))
                    .isInstanceOf(IOException.class)
                    .hasMessage("Input/output error");
        }
        try (InputStream in = files().open(path("/proc/self/mem"))) {
            assertThatThrownBy(in::read).isInstanceOf(IOException.class).hasMessage("Input/output error");
        }
    }

    @Test
    void filesAreWrittenAndReadWithoutChecksumsBeside() throws IOException {
        try (FSDataOutputStream out = files().create(path(folder + "/file"), false)) {
            out.write('a');
            out.write("bcd".getBytes(StandardCharsets.US_ASCII));
            assertThat(out.getPos()).isEqualTo(4);
        }

        try (var names = Files.list(folder)) {
            assertThat(names).containsExactly(folder.resolve("file"));
        }
        try (FSDataInputStream in = files().open(path(folder + "/file"))) {
            in.seek(2);
            assertThat(in.read()).isEqualTo('c');
            assertThat(in.getPos()).isEqualTo(3);
            assertThat(in.readAllBytes()).asString().isEqualTo("d");
            assertThat(in.read()).isEqualTo(-1);
        }
    }
}
