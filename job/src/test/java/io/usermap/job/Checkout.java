package io.usermap.job;

import java.nio.file.Files;
import java.nio.file.Path;

/** Where this project lies, whatever folder the tests run in. */
final class Checkout {
    private Checkout() {}

    /** The top folder, found upwards from the working directory. */
    static Path root() {
        Path folder = Path.of("").toAbsolutePath();
        while (!Files.isRegularFile(folder.resolve("job/bin/usermap"))) {
            Path parent = folder.getParent();
            if (parent == null) {
                throw new IllegalStateException(
                        "Cannot find job/bin/usermap above " + Path.of("").toAbsolutePath());
            }
            folder = parent;
        }
        return folder;
    }
}
