package io.usermap.sandbox;

import static org.assertj.core.api.Assertions.assertThat;

import io.usermap.sandbox.SandboxRequest.Mapping;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RequestLogTest {
    private final RequestLog log = new RequestLog();

    @Test
    void forgetsTheOldestRequests() {
        for (int i = 0; i < RequestLog.MAX_REQUESTS + 3; i++) {
            log.add(request(i, 0));
        }

        assertThat(log.snapshot()).hasSize(RequestLog.MAX_REQUESTS);
        assertThat(log.snapshot().get(0).arrivedNanos()).isEqualTo(3);
    }

    @Test
    void forgetsTheOldestWhenTheirIdsAreTooMany() {
        for (int i = 0; i < 6; i++) {
            log.add(request(i, RequestLog.MAX_IDS / 4));
        }

        assertThat(log.snapshot()).extracting(SandboxRequest::arrivedNanos).containsExactly(2L, 3L, 4L, 5L);
    }

    @Test
    void forgetsTheOldestWhenTheirIdsAreTooLong() {
        String id = "x".repeat(Math.toIntExact(RequestLog.MAX_CHARACTERS / 4));
        for (int i = 0; i < 6; i++) {
            log.add(request(i, List.of(Mapping.unmap(id))));
        }

        assertThat(log.snapshot()).extracting(SandboxRequest::arrivedNanos).containsExactly(2L, 3L, 4L, 5L);
    }

    @Test
    void isEmptyAfterClearing() {
        log.add(request(0, RequestLog.MAX_IDS));
        log.clear();
        log.add(request(1, RequestLog.MAX_IDS));

        assertThat(log.snapshot()).extracting(SandboxRequest::arrivedNanos).containsExactly(1L);
    }

    private static SandboxRequest request(long nanos, int mappings) {
        return request(nanos, Collections.nCopies(mappings, Mapping.unmap("ann@one")));
    }

    private static SandboxRequest request(long nanos, List<Mapping> mappings) {
        return new SandboxRequest(
                nanos,
                Instant.EPOCH,
                nanos,
                Optional.empty(),
                "POST",
                "/usermap",
                200,
                true,
                List.of(),
                Optional.empty(),
                0,
                mappings,
                List.of());
    }
}
