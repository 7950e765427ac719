package io.usermap.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.junit.jupiter.api.Test;

/** The connector as it is built: one jar, all inside that it needs but Spark, nothing of others in the open. */
class JarIT {

    @Test
    void registersTheDataSource() throws IOException {
        try (JarFile jar = new JarFile(LocalCluster.jar().toFile())) {
            JarEntry services = jar.getJarEntry("META-INF/services/org.apache.spark.sql.sources.DataSourceRegister");
            assertThat(new String(jar.getInputStream(services).readAllBytes(), java.nio.charset.StandardCharsets.UTF_8))
                    .isEqualToIgnoringNewLines("io.usermap.spark.UserMapSource");
        }
    }

    @Test
    void holdsOnlyClassesOfItsOwnPackages() throws IOException {
        assertThat(entries())
                .filteredOn(name -> name.endsWith(".class"))
                .isNotEmpty()
                .allSatisfy(name -> assertThat(name).startsWith("io/usermap/"));
    }

    @Test
    void bringsTheRateLimiterUnderAnotherNameAndLittleElseOfGuava() throws IOException {
        assertThat(entries()).contains("io/usermap/guava/util/concurrent/RateLimiter.class");
        assertThat(Files.size(LocalCluster.jar())).isLessThan(600_000);
    }

    private static List<String> entries() throws IOException {
        try (JarFile jar = new JarFile(LocalCluster.jar().toFile())) {
            return jar.stream().map(JarEntry::getName).toList();
        }
    }
}
