package io.usermap.client;

/** A process that can be stopped for a while, or killed; what should happen in it happens when it runs. */
final class SimulatedProcess {
    private final VirtualTime time;
    private long pausedUntil;
    private boolean alive = true;
    private double stored;
    private double limiterRate;
    private long limiterFreeAt;

    SimulatedProcess(VirtualTime time) {
        this.time = time;
    }

    void does(Runnable what) {
        if (!alive) {
            return;
        }
        if (time.now() < pausedUntil) {
            time.at(pausedUntil, () -> does(what));
        } else {
            what.run();
        }
    }

    void pause(double seconds) {
        pausedUntil = Math.max(pausedUntil, time.now() + VirtualTime.nanos(seconds));
    }

    void kill() {
        alive = false;
    }

    boolean alive() {
        return alive;
    }

    /**
     * Guava's bursty limiter with one second in store: the wait for {@code permits} in nanoseconds, or -1 if it is longer
     * than {@code atMost}; then nothing is booked.
     */
    long tryAcquire(int permits, double perSecond, long atMost) {
        long now = time.now();
        if (now > limiterFreeAt) {
            stored = Math.min(limiterRate, stored + (now - limiterFreeAt) / 1e9 * limiterRate);
            limiterFreeAt = now;
        }
        if (limiterRate != perSecond) {
            stored = limiterRate == 0 ? perSecond : stored * perSecond / limiterRate;
            limiterRate = perSecond;
        }
        long wait = limiterFreeAt - now;
        if (wait > atMost) {
            return -1;
        }
        double fromStore = Math.min(permits, stored);
        stored -= fromStore;
        limiterFreeAt += VirtualTime.nanos((permits - fromStore) / perSecond);
        return wait;
    }
}
