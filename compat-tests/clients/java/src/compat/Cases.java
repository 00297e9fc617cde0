package compat;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

/**
 * Runs the cases and prints a line for each: {@code PASS id 12ms} or {@code FAIL id why}. Arguments: -namesrv ADDRS -broker ADDR
 * [-cases A,B] [-skip raw,alone] [-slow] [-own C]: with the last, that case and no other. The status is 0 when none failed.
 */
public final class Cases {
    private static final int AT_ONCE = 16;
    private static final long LIMIT_SECONDS = 300;
    private static final AtomicInteger FAILED = new AtomicInteger();

    public static void main(String[] args) throws Exception {
        Set<String> only = new HashSet<>();
        Set<Suite.Mark> skip = new HashSet<>(Set.of(Suite.Mark.SLOW));
        String own = null;
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "-namesrv":
                    Env.namesrv = args[++i];
                    break;
                case "-broker":
                    Env.broker = args[++i];
                    break;
                case "-cases":
                    only.addAll(Arrays.asList(args[++i].split(",")));
                    break;
                case "-skip":
                    Arrays.stream(args[++i].split(",")).forEach(word -> skip.add(Suite.Mark.valueOf(word.toUpperCase())));
                    break;
                case "-own":
                    own = args[++i];
                    break;
                case "-slow":
                    skip.remove(Suite.Mark.SLOW);
                    break;
                default:
                    throw new IllegalArgumentException(args[i]);
            }
        }
        Suite suite = new Suite();
        OrderCases.register(suite);
        PullCases.register(suite);
        FilterCases.register(suite);
        RetryCases.register(suite);
        TimerCases.register(suite);
        GroupCases.register(suite);
        ResetCases.register(suite);
        ScopeCases.register(suite);
        SendCases.register(suite);
        TransactionCases.register(suite);
        ReplyCases.register(suite);
        TopicCases.register(suite);
        RestartCases.register(suite);
        TlsCases.register(suite);
        try {
            // Compiled only where the admin library of 5.5.0 is on the class path.
            Class.forName("compat.admin.AdminCases").getMethod("register", Suite.class).invoke(null, suite);
        } catch (ClassNotFoundException e) {
            System.out.println("no admin cases with this client");
        }
        String alone = own;
        List<Suite.Case> chosen = suite.cases.stream()
            .filter(one -> alone != null ? one.id().equals(alone) : !one.marks().contains(Suite.Mark.OWN)
                && (only.isEmpty() ? one.marks().stream().noneMatch(skip::contains) : only.contains(one.id())))
            .collect(Collectors.toList());
        Env.start();
        ExecutorService pool = Executors.newFixedThreadPool(AT_ONCE);
        for (Suite.Case one : chosen) {
            if (!one.marks().contains(Suite.Mark.ALONE)) {
                pool.submit(() -> run(one));
            }
        }
        pool.shutdown();
        pool.awaitTermination(35, TimeUnit.MINUTES);
        for (Suite.Case one : chosen) {
            if (one.marks().contains(Suite.Mark.ALONE)) {
                run(one);
            }
        }
        System.out.flush();
        Runtime.getRuntime().halt(FAILED.get() == 0 ? 0 : 1);
    }

    private static void run(Suite.Case one) {
        ExecutorService worker = Executors.newSingleThreadExecutor();
        long start = System.nanoTime();
        Future<?> work = worker.submit(() -> {
            try {
                one.body().run();
            } finally {
                Env.closeOwned();
            }
            return null;
        });
        String failure = null;
        try {
            work.get(one.marks().contains(Suite.Mark.SLOW) ? 4 * LIMIT_SECONDS : LIMIT_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            failure = "not done in time";
        } catch (Exception e) {
            failure = describe(e.getCause() == null ? e : e.getCause());
        }
        worker.shutdownNow();
        long millis = (System.nanoTime() - start) / 1_000_000;
        if (failure == null) {
            Env.say("PASS " + one.id() + " " + millis + "ms");
        } else {
            FAILED.incrementAndGet();
            Env.say("FAIL " + one.id() + " " + failure);
        }
    }

    private static String describe(Throwable error) {
        StringBuilder text = new StringBuilder(error instanceof AssertionError ? "" : error.getClass().getSimpleName() + ": ");
        text.append(error.getMessage());
        for (StackTraceElement element : error.getStackTrace()) {
            if (element.getClassName().startsWith("compat.") && element.getClassName().endsWith("Cases")) {
                text.append(" (").append(element.getFileName()).append(':').append(element.getLineNumber()).append(')');
                break;
            }
        }
        return text.toString().replace('\n', ' ').replace('\r', ' ');
    }
}
