// SPDX-License-Identifier: Apache-2.0
// Curator's barriers, numbers, queues, groups and nodes by commands on stdin. Usage: CuratorDataPeer HOSTS
// Every command gives one line that starts with its name; what takes long goes on in a thread.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.atomic.PromotedToLock;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.MultiItem;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;

public final class CuratorDataPeer {
    interface Work {
        Object run() throws Exception;
    }

    private static final QueueSerializer<String> TEXT = new QueueSerializer<>() {
        @Override
        public byte[] serialize(String item) {
            return item.getBytes(StandardCharsets.UTF_8);
        }

        @Override
        public String deserialize(byte[] bytes) {
            return new String(bytes, StandardCharsets.UTF_8);
        }
    };

    private static CuratorFramework client;
    private static final Map<String, DistributedDoubleBarrier> doubles = new HashMap<>();
    private static final Map<String, GroupMember> groups = new HashMap<>();

    public static void main(String[] arguments) throws Exception {
        client = CuratorFrameworkFactory.builder()
                .connectString(arguments[0])
                .sessionTimeoutMs(10_000)
                .connectionTimeoutMs(10_000)
                .retryPolicy(new ExponentialBackoffRetry(50, 10))
                .build();
        client.start();
        client.blockUntilConnected();
        say("connected", "");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            command(words[0], Arrays.copyOfRange(words, 1, words.length));
        }
        client.close();
        System.exit(0);
    }

    private static synchronized void say(String name, Object result) {
        System.out.println(name + " " + result);
        System.out.flush();
    }

    private static void later(String name, Work work) {
        Thread thread = new Thread(() -> {
            try {
                say(name, work.run());
            } catch (Exception error) {
                error.printStackTrace();
                say(name, "failed " + error);
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    private static void command(String name, String[] words) throws Exception {
        switch (name) {
            case "barrier-set":
                new DistributedBarrier(client, words[0]).setBarrier();
                say(name, "");
                break;
            case "barrier-remove":
                new DistributedBarrier(client, words[0]).removeBarrier();
                say(name, "");
                break;
            case "barrier-wait":
                later(name, () -> new DistributedBarrier(client, words[0]).waitOnBarrier(20, TimeUnit.SECONDS));
                break;
            case "double-enter":
                doubles.put(words[0], new DistributedDoubleBarrier(client, words[0], Integer.parseInt(words[1])));
                later(name, () -> doubles.get(words[0]).enter(20, TimeUnit.SECONDS));
                break;
            case "double-leave":
                later(name, () -> doubles.get(words[0]).leave(20, TimeUnit.SECONDS));
                break;
            case "long-add":
                say(name, added(atomicLong(words[0]).add(Long.parseLong(words[1]))));
                break;
            case "long-many":
                later(name, () -> {
                    DistributedAtomicLong number = atomicLong(words[0]);
                    for (int count = Integer.parseInt(words[1]); count > 0; ) {
                        if (number.increment().succeeded()) count--;
                    }
                    return "done";
                });
                break;
            case "integer-add":
                say(name, added(new DistributedAtomicInteger(client, words[0], new ExponentialBackoffRetry(5, 20))
                        .add(Integer.parseInt(words[1]))));
                break;
            case "shared-count": {
                try (SharedCount count = new SharedCount(client, words[0], 0)) {
                    count.start();
                    int before = count.getCount();
                    count.setCount(Integer.parseInt(words[1]));
                    say(name, before);
                }
                break;
            }
            case "queue-put":
                put(words);
                say(name, "");
                break;
            case "queue-consume":
                consume(words);
                say(name, "");
                break;
            case "group-start": {
                GroupMember member =
                        new GroupMember(client, words[0], words[1], words[2].getBytes(StandardCharsets.UTF_8));
                groups.put(words[0], member);
                member.start();
                say(name, "");
                break;
            }
            case "group-list": {
                TreeSet<String> found = new TreeSet<>();
                groups.get(words[0]).getCurrentMembers().forEach((id, data) ->
                        found.add(id + "=" + new String(data, StandardCharsets.UTF_8)));
                say(name, String.join(" ", found));
                break;
            }
            case "group-close":
                groups.remove(words[0]).close();
                say(name, "");
                break;
            default:
                say("unknown", name);
        }
    }

    private static DistributedAtomicLong atomicLong(String path) {
        PromotedToLock lock = PromotedToLock.builder()
                .lockPath(path + "-lock")
                .retryPolicy(new ExponentialBackoffRetry(5, 20))
                .build();
        return new DistributedAtomicLong(client, path, new ExponentialBackoffRetry(5, 3), lock);
    }

    private static Object added(AtomicValue<?> value) {
        return value.succeeded() ? value.postValue() : "lost";
    }

    /** KIND PATH VALUE [PLACE], where a value "a+b" is a multi item of two. */
    private static void put(String[] words) throws Exception {
        QueueBuilder<String> builder = QueueBuilder.builder(client, null, TEXT, words[1]);
        switch (words[0]) {
            case "fifo":
                try (DistributedQueue<String> queue = builder.buildQueue()) {
                    queue.start();
                    if (words[2].contains("+")) queue.putMulti(items(words[2]));
                    else queue.put(words[2]);
                    queue.flushPuts(10, TimeUnit.SECONDS);
                }
                break;
            case "priority":
                try (DistributedPriorityQueue<String> queue = builder.buildPriorityQueue(0)) {
                    queue.start();
                    queue.put(words[2], Integer.parseInt(words[3]));
                    queue.flushPuts(10, TimeUnit.SECONDS);
                }
                break;
            default:
                try (DistributedDelayQueue<String> queue = builder.buildDelayQueue()) {
                    queue.start();
                    queue.put(words[2], System.currentTimeMillis() + Long.parseLong(words[3]));
                    queue.flushPuts(10, TimeUnit.SECONDS);
                }
        }
    }

    private static MultiItem<String> items(String text) {
        java.util.Iterator<String> parts = Arrays.asList(text.split("\\+")).iterator();
        return () -> parts.hasNext() ? parts.next() : null;
    }

    /** KIND PATH LOCK_PATH: tells every message as "consumed VALUE", for the rest of the program's life. */
    private static void consume(String[] words) throws Exception {
        QueueConsumer<String> consumer = new QueueConsumer<>() {
            @Override
            public void consumeMessage(String message) throws Exception {
                Thread.sleep(5);
                say("consumed", message);
            }

            @Override
            public void stateChanged(CuratorFramework framework, ConnectionState state) {}
        };
        QueueBuilder<String> builder = QueueBuilder.builder(client, consumer, TEXT, words[1]).lockPath(words[2]);
        switch (words[0]) {
            case "fifo":
                builder.buildQueue().start();
                break;
            case "priority":
                builder.buildPriorityQueue(0).start();
                break;
            default:
                builder.buildDelayQueue().start();
        }
    }
}
