package io.usermap.job;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;

/**
 * Which names a JVM can resolve and which certificates it trusts, in files that it is started with.
 *
 * @param folder where the files are
 */
record Whereabouts(Path folder) {
    private static final String PASSWORD = "password";
    private static final Set<String> NAMES = new TreeSet<>();

    /** Makes the files: a certificate that is trusted, one that is not, and the names of this machine. */
    static Whereabouts in(Path folder) throws IOException, InterruptedException {
        Whereabouts made = new Whereabouts(folder);
        for (String name : List.of("trusted", "unknown")) {
            made.keytool(
                    "-genkeypair",
                    "-alias",
                    name,
                    "-keyalg",
                    "EC",
                    "-dname",
                    "CN=127.0.0.1",
                    "-ext",
                    "san=ip:127.0.0.1",
                    "-keystore",
                    made.keys(name).toString());
        }
        Path certificate = folder.resolve("trusted.cer");
        made.keytool(
                "-exportcert",
                "-alias",
                "trusted",
                "-keystore",
                made.keys("trusted").toString(),
                "-file",
                "" + certificate);
        made.keytool(
                "-importcert",
                "-noprompt",
                "-alias",
                "trusted",
                "-keystore",
                "" + made.trust(),
                "-file",
                "" + certificate);
        made.write();
        return made;
    }

    private Path keys(String name) {
        return folder.resolve(name + ".p12");
    }

    private Path trust() {
        return folder.resolve("trust.p12");
    }

    private Path hosts() {
        return folder.resolve("hosts");
    }

    /** What the JVM is started with. It remembers no address, but as ever for 10 s that a name has none. */
    List<String> flags() {
        return List.of(
                "-Djavax.net.ssl.trustStore=" + trust(),
                "-Djavax.net.ssl.trustStorePassword=" + PASSWORD,
                "-Djdk.net.hosts.file=" + hosts(),
                "-Dsun.net.inetaddr.ttl=0");
    }

    /** TLS with the certificate that is trusted, or with the other one. */
    SSLContext secured(boolean trusted) throws IOException, GeneralSecurityException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(keys(trusted ? "trusted" : "unknown"))) {
            store.load(in, PASSWORD.toCharArray());
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, PASSWORD.toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        return context;
    }

    /** From now on {@code name} leads to this machine. */
    void add(String name) throws IOException {
        synchronized (NAMES) {
            NAMES.add(name);
            write();
        }
    }

    /** From now on {@code name} leads nowhere. */
    void remove(String name) throws IOException {
        synchronized (NAMES) {
            NAMES.remove(name);
            write();
        }
    }

    private void write() throws IOException {
        List<String> lines = new ArrayList<>(List.of(
                "127.0.0.1 localhost", "127.0.0.1 " + InetAddress.getLocalHost().getHostName()));
        NAMES.forEach(name -> lines.add("127.0.0.1 " + name));
        Path next = folder.resolve("hosts.next");
        Files.write(next, lines);
        // In one step, because it is read at any time.
        Files.move(next, hosts(), java.nio.file.StandardCopyOption.ATOMIC_MOVE);
    }

    private void keytool(String... arguments) throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString()));
        line.addAll(List.of(arguments));
        line.addAll(List.of("-storepass", PASSWORD, "-storetype", "PKCS12"));
        Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
        if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
            throw new IOException("keytool failed: " + said);
        }
    }
}
