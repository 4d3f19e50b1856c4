import { Registry } from "@meerkat/governance";
import {
  arg,
  createRpcClient,
  defineService,
  f32,
  InvalidOperation,
  i32,
  implement,
  RpcServer,
} from "@meerkat/rpc";
import { EmbeddedServer } from "@meerkat/server";

// 1. What the service offers: both sides get their types from here.
const Calculator = defineService("calculator", {
  divide: { args: { num1: arg(1, i32), num2: arg(2, i32, { default: 1 }) }, result: f32, idempotent: true },
});

// 2. A registry. Here one in this process; elsewhere `hosts` names any ZooKeeper.
await using zookeeper = await EmbeddedServer.start({ memory: true });
await using registry = await Registry.connect({ hosts: zookeeper.connectString });

// 3. A server with your function, listed in the registry.
const calculator = implement(Calculator, {
  divide: ({ num1, num2 }) => {
    if (num2 === 0) throw new InvalidOperation("division by zero");
    return num1 / num2;
  },
});
await using server = await RpcServer.listen({ services: [calculator] });
await registry.register({ host: server.host, port: server.port });

// 4. A client that finds it there.
await using directory = await registry.directory();
await using client = createRpcClient(Calculator, { directory });
console.log("200 / 100 =", await client.divide({ num1: 200, num2: 100 }));
