package io.usermap.client;

/** The service that all applications of a simulation share. */
final class SimulatedService {
    final VirtualTime time;
    final ArrivalLog arrivals = new ArrivalLog();
    private final ServerModel model;
    private long throttled;

    SimulatedService(VirtualTime time, ServerModel model) {
        this.time = time;
        this.model = model;
    }

    boolean takes(int mappings) {
        arrivals.add(time.now(), mappings);
        boolean taken = model.takes(time.now(), mappings);
        if (!taken) {
            throttled++;
        }
        return taken;
    }

    /** How many requests were answered 429. */
    long throttled() {
        return throttled;
    }
}
