// SPDX-License-Identifier: Apache-2.0
// Curator's recipes. Answers the verbs of drivers/recipe-verbs.ts.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.ExponentialBackoffRetry;

public final class CuratorRecipes {
    private static CuratorFramework client;
    private static CuratorCache cache;
    private static final List<LeaderLatch> led = new ArrayList<>();

    private interface Operation {
        void run() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String reply;
            try {
                reply = answer(line);
            } catch (Exception error) {
                reply = "{\"error\":\"" + error.toString().replaceAll("[\"\\\\\\p{Cntrl}]", " ") + "\"}";
            }
            System.out.println(reply);
        }
        System.exit(0);
    }

    private static String answer(String line) throws Exception {
        String verb = text(line, "verb");
        switch (verb) {
            case "connect":
                client = CuratorFrameworkFactory.newClient(
                        text(line, "hosts"),
                        (int) number(line, "sessionTimeoutMs"),
                        15_000,
                        new ExponentialBackoffRetry(100, 10));
                client.start();
                client.blockUntilConnected();
                return "{}";
            case "lock":
                InterProcessMutex mutex = new InterProcessMutex(client, text(line, "path"));
                return closedLoop(() -> {
                    mutex.acquire();
                    mutex.release();
                }, number(line, "durationMs"));
            case "contend":
                return contend(text(line, "path"), number(line, "durationMs"), (int) number(line, "contenders"));
            case "lead":
                LeaderLatch latch = new LeaderLatch(client, text(line, "path"));
                latch.start();
                latch.await();
                led.add(latch);
                return "{}";
            case "cache":
                return openCache(text(line, "path"), number(line, "timeoutMs"));
            case "change":
                return change(text(line, "path"), number(line, "durationMs"));
            default:
                throw new IllegalArgumentException("unknown verb " + verb);
        }
    }

    private static String closedLoop(Operation operation, long durationMs) throws Exception {
        List<Long> samples = new ArrayList<>();
        long cpu = cpuNs();
        long start = System.nanoTime();
        long end = start + durationMs * 1_000_000;
        while (System.nanoTime() < end) {
            long begin = System.nanoTime();
            operation.run();
            samples.add(System.nanoTime() - begin);
        }
        return result(samples, samples.size(), System.nanoTime() - start, cpuNs() - cpu);
    }

    private static String contend(String path, long durationMs, int contenders) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(contenders);
        List<Long> samples = new ArrayList<>();
        long[] released = {0};
        long cpu = cpuNs();
        long start = System.nanoTime();
        long end = start + durationMs * 1_000_000;
        List<Future<?>> all = new ArrayList<>();
        for (int index = 0; index < contenders; index++) {
            all.add(pool.submit(() -> {
                InterProcessMutex mutex = new InterProcessMutex(client, path);
                while (System.nanoTime() < end) {
                    mutex.acquire();
                    synchronized (samples) {
                        if (released[0] != 0) samples.add(System.nanoTime() - released[0]);
                        released[0] = System.nanoTime();
                    }
                    mutex.release();
                }
                return null;
            }));
        }
        for (Future<?> each : all) each.get();
        pool.shutdown();
        return result(samples, samples.size() + 1, System.nanoTime() - start, cpuNs() - cpu);
    }

    private static String openCache(String path, long timeoutMs) throws Exception {
        CountDownLatch ready = new CountDownLatch(1);
        long cpu = cpuNs();
        long start = System.nanoTime();
        cache = CuratorCache.build(client, path);
        cache.listenable().addListener(CuratorCacheListener.builder().forInitialized(ready::countDown).build());
        cache.start();
        if (!ready.await(timeoutMs, TimeUnit.MILLISECONDS)) {
            throw new IllegalStateException("the cache was not whole within " + timeoutMs / 1000 + " s");
        }
        return "{\"startMs\":" + (System.nanoTime() - start) / 1e6 + ",\"startCpuMs\":" + (cpuNs() - cpu) / 1e6 + "}";
    }

    private static String change(String path, long durationMs) throws Exception {
        Semaphore told = new Semaphore(0);
        CuratorCacheListener listener = CuratorCacheListener.builder()
                .forChanges((before, after) -> {
                    if (after.getPath().equals(path)) told.release();
                })
                .build();
        cache.listenable().addListener(listener);
        int[] count = {0};
        try {
            return closedLoop(() -> {
                client.setData().forPath(path, String.valueOf(count[0]++).getBytes());
                told.acquire();
            }, durationMs);
        } finally {
            cache.listenable().removeListener(listener);
        }
    }

    private static String result(List<Long> samples, int ops, long elapsedNs, long cpuNs) {
        samples.sort(null);
        return "{\"ops\":" + ops + ",\"elapsedMs\":" + elapsedNs / 1e6 + ",\"cpuUs\":" + cpuNs / 1e3
                + ",\"p50Us\":" + pick(samples, 0.5) + ",\"p99Us\":" + pick(samples, 0.99) + "}";
    }

    private static double pick(List<Long> samples, double share) {
        if (samples.isEmpty()) return 0;
        return samples.get(Math.min(samples.size() - 1, (int) (samples.size() * share))) / 1e3;
    }

    /** CPU time of this process, all threads. */
    private static long cpuNs() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }

    private static String text(String line, String name) {
        return found(line, "\"" + name + "\":\"([^\"]*)\"");
    }

    private static long number(String line, String name) {
        return Long.parseLong(found(line, "\"" + name + "\":(\\d+)"));
    }

    private static String found(String line, String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(line);
        if (!matcher.find()) throw new IllegalArgumentException(pattern + " is missing in " + line);
        return matcher.group(1);
    }
}
