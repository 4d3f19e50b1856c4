// SPDX-License-Identifier: Apache-2.0
// Curator's service discovery by commands on stdin, one answer a line on stdout.
// Usage: CuratorDiscoveryPeer HOSTS BASE_PATH

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.UriSpec;
import org.apache.curator.x.discovery.details.JsonInstanceSerializer;
import org.apache.curator.x.discovery.details.ServiceCacheListener;

public final class CuratorDiscoveryPeer {
    /** A payload of a class of its own, as users of Curator have it. */
    public static final class Payload {
        public String zone;
        public int shard;

        @Override
        public String toString() {
            return "Payload(" + zone + "," + shard + ")";
        }
    }

    public static void main(String[] arguments) throws Exception {
        CuratorFramework client = CuratorFrameworkFactory.builder()
                .connectString(arguments[0])
                .sessionTimeoutMs(4_000)
                .connectionTimeoutMs(10_000)
                .retryPolicy(new ExponentialBackoffRetry(50, 10))
                .build();
        client.start();
        client.blockUntilConnected();
        ServiceDiscovery<Object> objects = discovery(client, arguments[1], Object.class);
        ServiceDiscovery<Payload> payloads = discovery(client, arguments[1], Payload.class);
        Map<String, ServiceInstance<Object>> registered = new HashMap<>();
        say("connected");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "register": {
                    ServiceInstance<Object> instance = instance(words);
                    objects.registerService(instance);
                    registered.put(instance.getId(), instance);
                    say("registered");
                    break;
                }
                case "unregister":
                    objects.unregisterService(registered.remove(words[1]));
                    say("unregistered");
                    break;
                case "text":
                    say(new String(
                            new JsonInstanceSerializer<>(Object.class).serialize(instance(words)),
                            StandardCharsets.UTF_8));
                    break;
                case "query":
                    say("found " + show(objects.queryForInstances(words[1])));
                    break;
                case "names":
                    say("names " + objects.queryForNames());
                    break;
                case "payloads":
                    say("payloads " + show(payloads.queryForInstances(words[1])));
                    break;
                case "cache":
                    follow(objects.serviceCacheBuilder().name(words[1]).build());
                    break;
                default:
                    say("unknown command " + line);
            }
        }
        objects.close();
        client.close();
    }

    private static <T> ServiceDiscovery<T> discovery(CuratorFramework client, String basePath, Class<T> type)
            throws Exception {
        ServiceDiscovery<T> discovery = ServiceDiscoveryBuilder.builder(type)
                .client(client)
                .basePath(basePath)
                .build();
        discovery.start();
        return discovery;
    }

    /** VERB NAME ID HOST PORT: an instance with a payload of several types. */
    private static ServiceInstance<Object> instance(String[] words) throws Exception {
        Map<String, Object> payload = new LinkedHashMap<>();
        payload.put("zone", "java");
        payload.put("weight", 3);
        payload.put("big", 9007199254740993L);
        payload.put("list", new ArrayList<>(List.of(1, "x")));
        payload.put("map", new HashMap<>(Map.of("k", true)));
        return ServiceInstance.<Object>builder()
                .name(words[1])
                .id(words[2])
                .address(words[3])
                .port(Integer.parseInt(words[4]))
                .registrationTimeUTC(1_700_000_000_000L)
                .payload(payload)
                .uriSpec(new UriSpec("{scheme}://{address}:{port}"))
                .build();
    }

    /** Prints the ids in the cache now, and after each change. */
    private static void follow(ServiceCache<Object> cache) throws Exception {
        cache.addListener(new ServiceCacheListener() {
            @Override
            public void cacheChanged() {
                say("cache " + ids(cache.getInstances()));
            }

            @Override
            public void stateChanged(CuratorFramework client, ConnectionState state) {}
        });
        cache.start();
        say("cache " + ids(cache.getInstances()));
    }

    private static <T> List<String> ids(Collection<ServiceInstance<T>> instances) {
        List<String> ids = new ArrayList<>();
        for (ServiceInstance<T> instance : instances) ids.add(instance.getId());
        Collections.sort(ids);
        return ids;
    }

    /** ID URI PAYLOAD of each, by id. */
    private static <T> List<String> show(Collection<ServiceInstance<T>> instances) {
        List<String> texts = new ArrayList<>();
        for (ServiceInstance<T> instance : instances) {
            String enabled = instance.isEnabled() ? "" : " disabled";
            texts.add(instance.getId() + " " + instance.getAddress() + ":" + instance.getPort() + " "
                    + instance.getPayload() + enabled);
        }
        Collections.sort(texts);
        return texts;
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
