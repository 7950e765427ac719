package io.usermap.client;

import java.io.Serializable;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Optional;

/**
 * Where mappings are written and read.
 *
 * @param write base URL of {@code POST /usermap}
 * @param lookup base URL of {@code GET /api/2/usermap}
 */
public record Endpoints(URI write, URI lookup) implements Serializable {

    /** The data centre that an organisation lives in. */
    public enum Region {
        /** The United States, the default. */
        US,
        /** The European Union. */
        EU
    }

    /** The documented endpoints of {@code region}. */
    public static Endpoints of(Region region) {
        return switch (region) {
            case US -> new Endpoints(URI.create("https://api.amplitude.com"), URI.create("https://amplitude.com"));
            case EU ->
                new Endpoints(
                        URI.create("https://api.eu.amplitude.com"), URI.create("https://analytics.eu.amplitude.com"));
        };
    }

    /**
     * The endpoints that users asked for: {@code lookup} defaults to {@code write} when that is set, else to the
     * region's.
     */
    public static Endpoints of(Region region, Optional<URI> write, Optional<URI> lookup) {
        Endpoints regional = of(region);
        return new Endpoints(
                write.orElse(regional.write()), lookup.or(() -> write).orElse(regional.lookup()));
    }

    /** The problems of sending keys in clear text, one per endpoint that is plain http and not on loopback. */
    public List<String> insecure(String noun, String writeKey, String lookupKey, String allowKey) {
        return java.util.stream.Stream.of(
                        plain(write) ? writeKey : "", plain(lookup) && !lookup.equals(write) ? lookupKey : "")
                .filter(key -> !key.isEmpty())
                .map(key -> "Cannot use " + noun + " '" + key + "': plain http to "
                        + (key.equals(writeKey) ? write : lookup).getHost()
                        + " would send the key in clear text. Use https, or set '" + allowKey + "' to true.")
                .toList();
    }

    /** The URL that maps and unmaps. */
    public URI writeUrl() {
        return under(write, "/usermap");
    }

    /** The URL that tells existing mappings. */
    public URI lookupUrl() {
        return under(lookup, "/api/2/usermap");
    }

    private static URI under(URI base, String path) {
        String text = base.toString();
        return URI.create((text.endsWith("/") ? text.substring(0, text.length() - 1) : text) + path);
    }

    private static boolean plain(URI url) {
        return "http".equalsIgnoreCase(url.getScheme()) && !isLoopback(url.getHost());
    }

    /** Whether {@code host} is this machine by name or literal address; asks no name server. */
    static boolean isLoopback(String host) {
        if (host.equalsIgnoreCase("localhost")) {
            return true;
        }
        boolean literal = host.startsWith("[") || host.matches("[0-9.]+");
        if (!literal) {
            return false;
        }
        try {
            return InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException e) {
            return false;
        }
    }
}
