package io.usermap.job;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The job's one jar, compiled against the oldest Spark, on the newest one too.
 *
 * <p>That Spark's class path is left by the build of the connector's tests for it, which comes before this module's.
 */
class NewestSparkIT extends CommandCase {
    private static final Path NEWEST =
            Checkout.root().resolve("connector/spark/tests/spark-4.2/target/spark.classpath");
    private static final Path OLDEST = Checkout.root().resolve("job/target/spark.classpath");
    private static final List<String> CHECKED = List.of(
            "org.apache.spark.",
            "org.apache.hadoop.",
            "org.apache.parquet.",
            "scala.",
            "com.fasterxml.jackson.",
            "org.slf4j.");

    private static String classPath(Path file) throws IOException {
        assumeThat(file)
                .as("no class path of that Spark: build its tests of the connector first")
                .exists();
        return Files.readString(file).strip();
    }

    @Test
    void plansAndAppliesOnALedgerThatTheOldestSparkHasBegun() throws Exception {
        String newest = classPath(NEWEST);
        usermap.set("plan.mode", "mirror")
                .set("guards.max-unmap-share", "1")
                .set("guards.max-remap-share", "1")
                .source("cluster,id", "1,ann-1", "1,bob-1", "1,cat-1", "2,dan-1", "2,eve-1", "2,fay-1");
        apply();
        assertThat(sandbox.mappings())
                .isEqualTo(Map.of("bob-1", "ann-1", "cat-1", "ann-1", "eve-1", "dan-1", "fay-1", "dan-1"));
        usermap.source("cluster,id", "1,ann-1", "1,bob-1", "1,gus-1", "2,dan-1", "2,cat-1", "2,fay-1");

        List<String> line = new ArrayList<>(List.of(JobProcess.java(), "-Xmx1g"));
        line.addAll(List.of(JobProcess.QUICK.split(" ")));
        line.addAll(List.of(System.getProperty("usermap.spark.jvm.flags").split(" ")));
        line.addAll(List.of(
                "-Dspark.sql.shuffle.partitions=2",
                "-cp",
                SubmitIT.jar() + File.pathSeparator + newest,
                "io.usermap.job.Main"));
        line.addAll(usermap.line("apply", "--master", "local[2]"));
        File output = folder.resolve("output.txt").toFile();
        Process process = new ProcessBuilder(line)
                .redirectErrorStream(true)
                .redirectOutput(output)
                .start();
        assertThat(process.waitFor(3, TimeUnit.MINUTES)).as("ends in time").isTrue();

        String told = Files.readString(output.toPath());
        assertThat(process.exitValue()).as(told).isZero();
        assertThat(told).contains("Running Spark version 4.");
        assertThat(Stream.of("unchanged", "map", "remap", "unmap", "accepted").map(this::counted))
                .containsExactly(2L, 1L, 1L, 1L, 3L);
        assertThat(sandbox.mappings())
                .isEqualTo(Map.of("bob-1", "ann-1", "cat-1", "dan-1", "fay-1", "dan-1", "gus-1", "ann-1"));
        assertThat(usermap.run("apply"))
                .as("the oldest reads what the newest has left")
                .isZero();
        assertThat(usermap.report().path("outcome").asText()).isEqualTo("nothing_to_do");
    }

    private long counted(String name) {
        try {
            return usermap.count(name);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"oldest", "newest"})
    void everyReferenceOfTheJobsClassesResolves(String which) throws IOException {
        Links links = new Links(classPath(which.equals("oldest") ? OLDEST : NEWEST));
        JavaClasses classes =
                new ClassFileImporter().importJar(new JarFile(SubmitIT.jar().toFile()));
        for (JavaClass one : classes) {
            if (one.getPackageName().equals("io.usermap.job")) {
                links.check(one);
            }
        }
        assertThat(links.missing).isEmpty();
        assertThat(links.resolved).as("references looked at").isGreaterThan(500);

        links.method("org.apache.spark.sql.SparkSession", "noSuchMethod", List.of(), "void");
        links.type("org.apache.spark.NoSuchClass");
        assertThat(links.missing)
                .containsExactly(
                        "org.apache.spark.NoSuchClass", "org.apache.spark.sql.SparkSession.noSuchMethod[] void");
    }

    /** Looks classes, methods and fields up in the jars of one Spark. */
    private static final class Links {
        final Set<String> missing = new TreeSet<>();
        int resolved;
        private final ClassLoader jars;

        Links(String classPath) throws MalformedURLException {
            List<URL> urls = new ArrayList<>();
            for (String entry : classPath.split(File.pathSeparator, -1)) {
                urls.add(Path.of(entry).toUri().toURL());
            }
            jars = new URLClassLoader(urls.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
        }

        void check(JavaClass one) {
            one.getDirectDependenciesFromSelf()
                    .forEach(dependency -> type(
                            dependency.getTargetClass().getBaseComponentType().getName()));
            one.getCodeUnitAccessesFromSelf()
                    .forEach(access -> method(
                            access.getTargetOwner().getName(),
                            access.getTarget().getName(),
                            names(access.getTarget().getRawParameterTypes()),
                            access.getTarget().getRawReturnType().getName()));
            one.getFieldAccessesFromSelf()
                    .forEach(access -> field(
                            access.getTargetOwner().getName(),
                            access.getTarget().getName(),
                            access.getTarget().getRawType().getName()));
        }

        private static List<String> names(List<JavaClass> types) {
            return types.stream().map(JavaClass::getName).toList();
        }

        void type(String name) {
            if (CHECKED.stream().anyMatch(name::startsWith)) {
                resolved++;
                if (withSupertypes(name).isEmpty()) {
                    missing.add(name);
                }
            }
        }

        void method(String owner, String name, List<String> parameters, String result) {
            boolean constructor = name.equals("<init>");
            find(
                    owner,
                    name + parameters + " " + result,
                    type -> constructor
                            ? type.getName().equals(owner)
                                    && Arrays.stream(type.getDeclaredConstructors())
                                            .anyMatch(one -> classNames(one.getParameterTypes())
                                                    .equals(parameters))
                            : Arrays.stream(type.getDeclaredMethods())
                                    .anyMatch(method -> same(method, name, parameters, result)));
        }

        private static boolean same(Method method, String name, List<String> parameters, String result) {
            return method.getName().equals(name)
                    && method.getReturnType().getName().equals(result)
                    && classNames(method.getParameterTypes()).equals(parameters);
        }

        private static List<String> classNames(Class<?>[] types) {
            return Arrays.stream(types).map(Class::getName).toList();
        }

        private void field(String owner, String name, String type) {
            find(
                    owner,
                    name + " " + type,
                    declaring -> Arrays.stream(declaring.getDeclaredFields())
                            .anyMatch((Field field) -> field.getName().equals(name)
                                    && field.getType().getName().equals(type)));
        }

        private interface Declares {
            boolean in(Class<?> type);
        }

        private void find(String owner, String member, Declares declares) {
            if (CHECKED.stream().anyMatch(owner::startsWith)) {
                resolved++;
                if (withSupertypes(owner).stream().noneMatch(declares::in)) {
                    missing.add(owner + "." + member);
                }
            }
        }

        private List<Class<?>> withSupertypes(String name) {
            try {
                List<Class<?>> types = new ArrayList<>(List.of(Class.forName(name, false, jars)));
                for (int i = 0; i < types.size(); i++) {
                    types.addAll(Arrays.asList(types.get(i).getInterfaces()));
                    Class<?> parent = types.get(i).getSuperclass();
                    types.add(parent == null ? Object.class : parent);
                    if (types.get(i).equals(Object.class)) {
                        types.remove(types.size() - 1);
                    }
                }
                return types;
            } catch (ClassNotFoundException e) {
                return List.of();
            }
        }
    }
}
