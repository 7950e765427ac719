package io.usermap.job;

/** What the process tells its caller; others script against these numbers. */
final class ExitCode {
    static final int DONE = 0;
    static final int ERROR = 1;
    static final int CHANGES_PENDING = 2;
    static final int REJECTED = 3;
    static final int GUARD = 4;
    static final int STALE = 5;
    static final int CONFIGURATION = 6;
    static final int INTERRUPTED = 130;

    private ExitCode() {}
}
