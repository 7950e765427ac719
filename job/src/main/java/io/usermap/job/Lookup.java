package io.usermap.job;

import io.usermap.client.LookupClient;
import io.usermap.client.UserLinks;
import io.usermap.client.UserLinks.LinkedUser;
import io.usermap.job.Configuration.Need;
import io.usermap.job.Execution.Ending;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;

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
        Instant startedAt = Instant.now();
        Execution execution = new Execution("lookup", flags, console);
        Ending ending = execution.ending(() -> {
            Configuration configuration = execution.configuration(EnumSet.of(Need.API_KEY, Need.SECRET_KEY));
            try (Target target = Target.open(configuration);
                    LookupClient client = LookupClient.of(
                            target.endpoints(),
                            target.apiKey(),
                            target.secretKey(),
                            configuration.lookupRules(),
                            () -> {})) {
                client.lookup(ids).forEach(this::tell);
                return Ending.DONE;
            }
        });
        return execution.reported(ending, () -> execution.copy(Json.document(Report.of("lookup", ending, startedAt))));
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
}
