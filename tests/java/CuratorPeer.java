// SPDX-License-Identifier: Apache-2.0
// Curator's recipes by commands on stdin, one answer a line on stdout. Usage: CuratorPeer HOSTS

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.zookeeper.CreateMode;

public final class CuratorPeer {
    /** Something that can be had for a while. */
    interface Turn {
        boolean acquire(long timeoutMs) throws Exception;

        void release() throws Exception;
    }

    private static CuratorFramework client;

    public static void main(String[] arguments) throws Exception {
        client = CuratorFrameworkFactory.builder()
                .connectString(arguments[0])
                .sessionTimeoutMs(10_000)
                .connectionTimeoutMs(10_000)
                .retryPolicy(new ExponentialBackoffRetry(50, 10))
                .build();
        client.start();
        client.blockUntilConnected();
        say("connected");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Turn held = null;
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "hold": {
                    held = turn(words[1], words[2]);
                    say(held.acquire(60_000) ? "held" : "busy");
                    break;
                }
                case "try": {
                    Turn wanted = turn(words[1], words[2]);
                    boolean granted = wanted.acquire(Long.parseLong(words[3]));
                    if (granted) held = wanted;
                    say(granted ? "held" : "busy");
                    break;
                }
                case "release":
                    held.release();
                    say("released");
                    break;
                case "hammer":
                    hammer(words[1], words[2], Integer.parseInt(words[3]));
                    break;
                case "revoke":
                    Revoker.attemptRevoke(client, words[1]);
                    say("revoked");
                    break;
                default:
                    say("unknown command " + line);
            }
        }
        client.close();
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    /** KIND is lock, revocable, write, read, latch, selector or semaphore:N. */
    private static Turn turn(String kind, String path) {
        if (kind.startsWith("semaphore:")) {
            return semaphore(new InterProcessSemaphoreV2(client, path, Integer.parseInt(kind.substring(10))));
        }
        switch (kind) {
            case "lock":
                return lock(new InterProcessMutex(client, path));
            case "revocable": {
                InterProcessMutex mutex = new InterProcessMutex(client, path);
                mutex.makeRevocable(asked -> say("asked"));
                return lock(mutex);
            }
            case "write":
                return lock(new InterProcessReadWriteLock(client, path).writeLock());
            case "read":
                return lock(new InterProcessReadWriteLock(client, path).readLock());
            case "latch":
                return latch(path);
            case "selector":
                return selector(path);
            default:
                throw new IllegalArgumentException(kind);
        }
    }

    private static Turn lock(InterProcessLock lock) {
        return new Turn() {
            public boolean acquire(long timeoutMs) throws Exception {
                return lock.acquire(timeoutMs, TimeUnit.MILLISECONDS);
            }

            public void release() throws Exception {
                lock.release();
            }
        };
    }

    private static Turn semaphore(InterProcessSemaphoreV2 semaphore) {
        return new Turn() {
            private Lease lease;

            public boolean acquire(long timeoutMs) throws Exception {
                lease = semaphore.acquire(timeoutMs, TimeUnit.MILLISECONDS);
                return lease != null;
            }

            public void release() {
                semaphore.returnLease(lease);
            }
        };
    }

    private static Turn latch(String path) {
        return new Turn() {
            private LeaderLatch latch;

            public boolean acquire(long timeoutMs) throws Exception {
                latch = new LeaderLatch(client, path, "curator");
                latch.start();
                boolean granted = latch.await(timeoutMs, TimeUnit.MILLISECONDS);
                if (!granted) latch.close();
                return granted;
            }

            public void release() throws Exception {
                latch.close();
            }
        };
    }

    private static Turn selector(String path) {
        return new Turn() {
            private final CountDownLatch leads = new CountDownLatch(1);
            private final CountDownLatch ends = new CountDownLatch(1);
            private LeaderSelector selector;

            public boolean acquire(long timeoutMs) throws Exception {
                selector = new LeaderSelector(client, path, new LeaderSelectorListenerAdapter() {
                    @Override
                    public void takeLeadership(CuratorFramework own) throws Exception {
                        leads.countDown();
                        ends.await();
                    }
                });
                selector.start();
                boolean granted = leads.await(timeoutMs, TimeUnit.MILLISECONDS);
                if (!granted) selector.close();
                return granted;
            }

            public void release() {
                ends.countDown();
                selector.close();
            }
        };
    }

    /** Takes its turn again and again; children of /inside show who is in at a time. */
    private static void hammer(String kind, String path, int rounds) throws Exception {
        int violations = 0;
        for (int round = 0; round < rounds; round++) {
            Turn turn = turn(kind, path);
            if (!turn.acquire(60_000)) throw new IllegalStateException("waited in vain");
            String mark = client.create()
                    .withMode(CreateMode.EPHEMERAL_SEQUENTIAL)
                    .forPath(kind.equals("read") ? "/inside/r-" : "/inside/x-");
            List<String> inside = client.getChildren().forPath("/inside");
            long alone = inside.stream().filter(name -> name.startsWith("x-")).count();
            boolean fits;
            if (kind.equals("read")) fits = alone == 0;
            else if (kind.startsWith("semaphore:")) fits = inside.size() <= Integer.parseInt(kind.substring(10));
            else fits = inside.size() == 1;
            if (!fits) violations++;
            client.delete().forPath(mark);
            turn.release();
        }
        say("hammered " + rounds + " violations " + violations);
    }
}
