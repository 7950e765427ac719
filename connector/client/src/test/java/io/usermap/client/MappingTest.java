package io.usermap.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class MappingTest {

    @Test
    void keepsBothIdsAsTheyAre() {
        Mapping mapping = Mapping.map("Ada+1@example.com", "person-1");

        assertThat(mapping).isEqualTo(new Mapping.MapTo("Ada+1@example.com", "person-1"));
        assertThat(mapping.userId()).isEqualTo("Ada+1@example.com");
    }

    @Test
    void anUnmapHasNoTarget() {
        assertThat(Mapping.unmap("ada-1")).isEqualTo(new Mapping.Unmap("ada-1"));
    }

    @Test
    void refusesToMapAUserToItself() {
        assertThatThrownBy(() -> Mapping.map("ada-1", "ada-1"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("Cannot map a user to itself. Leave the row out.");
    }

    @Test
    void usersThatDifferInCaseAreTwoUsers() {
        assertThat(Mapping.map("ada-1", "Ada-1").userId()).isEqualTo("ada-1");
    }

    @Test
    void neverPrintsAnId() {
        assertThat(Mapping.map("ada-1", "person-1")).hasToString("MapTo[ids withheld]");
        assertThat(Mapping.unmap("ada-1")).hasToString("Unmap[id withheld]");
    }
}
