package io.usermap.job;

import io.usermap.client.InvalidSettingsException;
import io.usermap.client.LookupClient;
import io.usermap.client.ServiceException;
import io.usermap.client.UserLinks;
import io.usermap.client.UserLinks.LinkedUser;
import java.util.List;
import java.util.Set;

/** {@code usermap lookup}: asks the service for the mappings of given ids and prints them; needs no Spark session. */
final class Lookup {
    private final Flags flags;
    private final Console console;

    Lookup(Flags flags, Console console) {
        this.flags = flags;
        this.console = console;
    }

    /** Prints one block per id, with whatever could move a cursor escaped; blocks for one request per 100 ids and the pauses between them. */
    int tell(List<String> ids) {
        try {
            Configuration configuration = Configuration.read(
                    flags.config(), flags.set(), Set.of(Configuration.Need.API_KEY, Configuration.Need.SECRET_KEY));
            try (Target target = Target.open(configuration);
                    LookupClient client = LookupClient.of(
                            target.endpoints(),
                            target.apiKey(),
                            target.secretKey(),
                            configuration.lookupRules(),
                            () -> {})) {
                client.lookup(ids).forEach(this::tell);
                return ExitCode.DONE;
            }
        } catch (InvalidSettingsException e) {
            return failed(e, ExitCode.CONFIGURATION);
        } catch (StoppedException e) {
            return failed(e, e.exitCode());
        } catch (ServiceException e) {
            boolean key = e.status() == 401 || e.status() == 403;
            return failed(e, key ? ExitCode.CONFIGURATION : ExitCode.ERROR);
        }
    }

    private void tell(UserLinks links) {
        console.result(Phrases.id(links.userId()));
        if (!links.told()) {
            console.result("  the service tells nothing of it");
            return;
        }
        links.mappedTo().forEach(user -> console.result("  maps to " + shown(user)));
        links.mappedFrom().forEach(user -> console.result("  mapped from " + shown(user)));
        if (links.mappedTo().isEmpty() && links.mappedFrom().isEmpty()) {
            console.result("  has no mappings");
        }
    }

    private static String shown(LinkedUser user) {
        return Phrases.id(user.userId()) + " (amplitude id " + user.amplitudeId() + ")";
    }

    private int failed(RuntimeException failure, int exitCode) {
        if (flags.stacktrace()) {
            failure.printStackTrace(console.err());
        }
        console.error(String.valueOf(failure.getMessage()));
        return exitCode;
    }
}
