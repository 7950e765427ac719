package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.usermap.client.Batch.Offer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class BatchTest {
    private static final IdRules USUAL = new IdRules(IdRules.DEFAULT_MIN_ID_LENGTH);

    static LongStream seeds() {
        return Seeds.first(30);
    }

    private static Batch batch(int maxRows, int maxBytes) {
        return new Batch(Secret.of("k+y"), USUAL, maxRows, maxBytes);
    }

    private static String body(Batch batch, int from, int to) {
        return new String(Bodies.bytes(batch.body(from, to)), StandardCharsets.US_ASCII);
    }

    @Test
    void aBodyIsAFormWithKeyAndMappings() {
        Batch batch = batch(10, 1_000_000);
        batch.offer(Mapping.map("ada-1", "person-1"));
        batch.offer(Mapping.unmap("ada-2"));

        assertThat(Bodies.form(Bodies.bytes(batch.body(0, 2))))
                .containsOnlyKeys("api_key", "mapping")
                .containsEntry("api_key", "k+y")
                .containsEntry(
                        "mapping",
                        "[{\"user_id\":\"ada-1\",\"global_user_id\":\"person-1\"},"
                                + "{\"user_id\":\"ada-2\",\"unmap\":true}]");
    }

    @Test
    void anotherMinimumLengthTravelsAlong() {
        Batch batch = new Batch(Secret.of("k"), new IdRules(3), 10, 1_000_000);
        batch.offer(Mapping.unmap("ada"));

        assertThat(Bodies.form(Bodies.bytes(batch.body(0, 1)))).containsEntry("options", "{\"min_id_length\":3}");
        assertThat(batch.encodedBytes(0, 1)).isEqualTo(body(batch, 0, 1).length());
    }

    @Test
    void isFullAtItsRows() {
        Batch batch = batch(3, 1_000_000);
        for (int i = 0; i < 3; i++) {
            assertThat(batch.offer(Mapping.unmap("user-" + i))).isEqualTo(Offer.ADDED);
        }

        assertThat(batch.offer(Mapping.unmap("user-3"))).isEqualTo(Offer.FULL);
        assertThat(Bodies.mappings(Bodies.bytes(batch.body(0, 3)))).hasSize(3);
    }

    @Test
    void isFullAtItsBytesExactToTheByte() {
        Batch measure = batch(10, 1_000_000);
        measure.offer(Mapping.unmap("user-1"));
        measure.offer(Mapping.map("user-2", "person-2"));
        int exact = body(measure, 0, 2).length();

        Batch fits = batch(10, exact);
        assertThat(fits.offer(Mapping.unmap("user-1"))).isEqualTo(Offer.ADDED);
        assertThat(fits.offer(Mapping.map("user-2", "person-2"))).isEqualTo(Offer.ADDED);
        assertThat(body(fits, 0, 2)).hasSize(exact);

        Batch tooSmall = batch(10, exact - 1);
        assertThat(tooSmall.offer(Mapping.unmap("user-1"))).isEqualTo(Offer.ADDED);
        assertThat(tooSmall.offer(Mapping.map("user-2", "person-2"))).isEqualTo(Offer.FULL);
        assertThat(tooSmall.size()).isEqualTo(1);
    }

    @Test
    void aRowThatFitsIntoNoRequestIsTooLargeAndLeavesTheBatchEmpty() {
        Batch batch = batch(10, 500);

        assertThat(batch.offer(Mapping.unmap("\u65E5".repeat(100)))).isEqualTo(Offer.TOO_LARGE);
        assertThat(batch.size()).isZero();
        assertThat(batch.offer(Mapping.unmap("user-1"))).isEqualTo(Offer.ADDED);
        assertThat(batch.offer(Mapping.unmap("\u65E5".repeat(100)))).isEqualTo(Offer.FULL);
        assertThat(Bodies.mappings(Bodies.bytes(batch.body(0, 1)))).containsExactly(Mapping.unmap("user-1"));
    }

    @Test
    void twoThousandPairsOfUuidsTakeLessThanAThirdOfAMegabyte() {
        Batch batch = batch(2_000, 1_000_000);
        for (int i = 0; i < 2_000; i++) {
            String user = String.format("%08d-0000-4000-8000-000000000000", i);
            assertThat(batch.offer(Mapping.map(user, "1" + user.substring(1)))).isEqualTo(Offer.ADDED);
        }

        assertThat(batch.encodedBytes(0, 2_000)).isBetween(260_000, 300_000);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void everySliceHoldsExactlyItsRows(long seed) {
        Random random = new Random(seed);
        Batch batch = batch(200, 20_000);
        for (int round = 0; round < 3; round++) {
            List<Mapping> rows = new ArrayList<>();
            Mapping next = mapping(random, rows.size());
            while (batch.offer(next) == Offer.ADDED) {
                rows.add(next);
                next = mapping(random, rows.size());
            }

            assertThat(batch.size()).isEqualTo(rows.size());
            assertThat(batch.encodedBytes(0, rows.size())).isLessThanOrEqualTo(20_000);
            for (int slice = 0; slice < 20; slice++) {
                int from = random.nextInt(rows.size());
                int to = from + 1 + random.nextInt(rows.size() - from);
                byte[] body = Bodies.bytes(batch.body(from, to));
                assertThat(Bodies.mappings(body)).isEqualTo(rows.subList(from, to));
                assertThat(batch.encodedBytes(from, to)).isEqualTo(body.length);
                assertThat(batch.body(from, to).contentLength()).isEqualTo(body.length);
            }
            batch.clear();
            assertThat(batch.size()).isZero();
        }
    }

    private static Mapping mapping(Random random, int number) {
        String user = number + HostileText.next(random, 30);
        return random.nextInt(4) == 0 ? Mapping.unmap(user) : Mapping.map(user, "p" + HostileText.next(random, 30));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2_001})
    void noBatchHoldsMoreThanARequestTakes(int maxRows) {
        assertThatThrownBy(() -> batch(maxRows, 1_000_000))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Cannot gather batches of " + maxRows
                        + " rows: a request takes 1 to 2000. Choose a number between.");
    }
}
