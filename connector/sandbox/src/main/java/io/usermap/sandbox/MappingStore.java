package io.usermap.sandbox;

import io.usermap.sandbox.SandboxRequest.Mapping;
import io.usermap.sandbox.Switches.Treatment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/**
 * The mappings in force: every id has at most one target.
 *
 * <p>Links are direct, nothing is followed: a to b and b to c leave a at b. In a batch a later mapping of an id wins over
 * an earlier one. Both are choices where the documentation is silent; three more are
 * {@link Switches}. Not thread-safe: its owner calls it under a lock.
 */
final class MappingStore {
    private Switches switches;
    private final Map<String, String> targets = new LinkedHashMap<>();
    private final Map<String, NavigableSet<String>> sources = new HashMap<>();

    MappingStore(Switches switches) {
        this.switches = switches;
    }

    /** Settles what the batches from now on do. */
    void settle(Switches newSwitches) {
        switches = newSwitches;
    }

    /**
     * What a batch did.
     *
     * @param effective the mappings that took effect, in order: the batch without the ignored ones
     * @param before what each of these ids had before, in the same order
     */
    record Applied(List<Mapping> effective, List<Mapping> before) {}

    /**
     * Applies a whole batch, in order.
     *
     * @throws RefusedException with 400 and the position if a switch refuses one of the mappings; nothing is changed then
     */
    Applied apply(List<Mapping> batch) throws RefusedException {
        Applied applied = new Applied(new ArrayList<>(), new ArrayList<>());
        for (int i = 0; i < batch.size(); i++) {
            Mapping mapping = batch.get(i);
            Verdict verdict = judge(mapping);
            switch (verdict.treatment()) {
                case STORE -> {
                    applied.before().add(put(mapping));
                    applied.effective().add(mapping);
                }
                case IGNORE -> {}
                case REFUSE -> {
                    revert(applied);
                    throw RefusedException.badRequest("mapping[" + i + "] " + verdict.reason());
                }
            }
        }
        return applied;
    }

    /** Takes back the batch that was applied last. */
    void revert(Applied applied) {
        List<Mapping> before = applied.before();
        for (int i = before.size() - 1; i >= 0; i--) {
            put(before.get(i));
        }
    }

    /** Sets or removes the target of one id, whatever the switches say, and returns the mapping that would undo it. */
    Mapping put(Mapping mapping) {
        String id = mapping.userId();
        String previous = targets.remove(id);
        if (previous != null) {
            Set<String> others = sources.get(previous);
            if (others != null) {
                others.remove(id);
                if (others.isEmpty()) {
                    sources.remove(previous);
                }
            }
        }
        mapping.globalUserId().ifPresent(target -> {
            targets.put(id, target);
            sources.computeIfAbsent(target, key -> new TreeSet<>()).add(id);
        });
        return new Mapping(id, Optional.ofNullable(previous));
    }

    /** The id that {@code id} is mapped to. */
    Optional<String> mappedTo(String id) {
        return Optional.ofNullable(targets.get(id));
    }

    /** The ids that are mapped to {@code id}, sorted. */
    Set<String> mappedFrom(String id) {
        Set<String> ids = sources.get(id);
        return ids == null ? Set.of() : Collections.unmodifiableSet(ids);
    }

    /** A copy of every mapping, from user id to global user id, the one set last at the end. */
    Map<String, String> snapshot() {
        return Collections.unmodifiableMap(new LinkedHashMap<>(targets));
    }

    int size() {
        return targets.size();
    }

    private record Verdict(Treatment treatment, String reason) {
        Verdict orStricter(Treatment other, String otherReason) {
            return other.compareTo(treatment) > 0 ? new Verdict(other, otherReason) : this;
        }
    }

    /** The strictest of the switches that a mapping falls under: refuse before ignore before store. */
    private Verdict judge(Mapping mapping) {
        Verdict verdict = new Verdict(Treatment.STORE, "");
        if (mapping.globalUserId().isEmpty()) {
            return verdict;
        }
        String id = mapping.userId();
        String target = mapping.globalUserId().get();
        String present = targets.get(id);
        if (present != null && !present.equals(target)) {
            verdict = verdict.orStricter(switches.remaps(), "maps an id that is mapped to another one");
        }
        if (id.equals(target)) {
            return verdict.orStricter(switches.selfMaps(), "maps an id to itself");
        }
        if (targets.containsKey(target) || sources.containsKey(id)) {
            verdict = verdict.orStricter(switches.chains(), "makes a chain");
        }
        return verdict;
    }
}
