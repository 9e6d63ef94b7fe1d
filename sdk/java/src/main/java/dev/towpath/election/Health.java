package dev.towpath.election;

import java.util.function.Consumer;

/** Runs the probes of a {@link HealthCheck}, one at a time. For the loop's thread alone. */
final class Health {
    private final HealthCheck check;
    private final Loop loop;
    private final Workers workers;
    private final Consumer<Exception> report; // null when well; called after each probe
    private Probing probing;
    private Loop.Timer timer;
    private boolean stopped;

    /** One probe, while it runs. */
    private final class Probing implements Runnable {
        private Thread thread; // guarded by this; null before and after the probe
        private boolean late; // for the loop's thread alone

        @Override
        public void run() {
            synchronized (this) {
                thread = Thread.currentThread();
            }
            Exception failure = null;
            try {
                check.probe().check();
            } catch (Exception e) {
                failure = e;
            } catch (Error e) {
                failure = new IllegalStateException(e);
            }
            synchronized (this) {
                thread = null;
                Thread.interrupted(); // this probe's interruption is not the next task's
            }
            Exception told = failure;
            loop.execute(() -> returned(this, told));
        }

        synchronized void interrupt() {
            if (thread != null) {
                thread.interrupt();
            }
        }
    }

    Health(HealthCheck check, Loop loop, Workers workers, Consumer<Exception> report) {
        this.check = check;
        this.loop = loop;
        this.workers = workers;
        this.report = report;
    }

    void probe() {
        Probing p = new Probing();
        probing = p;
        timer = loop.after(check.timeout().toNanos(), () -> {
            p.late = true;
            p.interrupt();
            report.accept(new Exception("the probe has not returned within " + check.timeout()));
        });
        workers.execute(p);
    }

    private void returned(Probing p, Exception failure) {
        timer.cancel();
        if (stopped) {
            return;
        }
        timer = loop.after(check.interval().toNanos(), this::probe);
        if (!p.late) {
            report.accept(failure);
        }
    }

    void stop() {
        if (!stopped) {
            stopped = true;
            timer.cancel();
            probing.interrupt();
        }
    }
}
