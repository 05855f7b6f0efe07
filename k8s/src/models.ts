/**
 * npm has no package with the schemas of RabbitMQ's operators and of CloudNativePG's Barman plug-in. These are models of
 * what is used here of them, as strict as a schema: a field that is not here is an error, even where the operator knows it.
 */
import { z } from 'zod';

const metadata = z.strictObject({
  name: z.string(),
  namespace: z.string(),
  labels: z.record(z.string(), z.string()).optional(),
});
const resource = <Spec extends z.ZodType>(apiVersion: string, kind: string, spec: Spec) =>
  z.strictObject({ apiVersion: z.literal(apiVersion), kind: z.literal(kind), metadata, spec });

const quantity = z.string().regex(/^\d+(\.\d+)?(m|[KMGT]i?)?$/);
const reference = z.strictObject({ name: z.string() });
const rabbitmqClusterReference = reference;
const vhost = z.string();
const amounts = z.strictObject({ cpu: quantity, memory: quantity });
const matchLabels = z.strictObject({ matchLabels: z.record(z.string(), z.string()) });
const confined = z.strictObject({
  name: z.string(),
  securityContext: z.strictObject({
    allowPrivilegeEscalation: z.boolean(),
    capabilities: z.strictObject({ drop: z.array(z.string()) }),
  }),
});

const RabbitmqCluster = z.strictObject({
  image: z.string(),
  replicas: z.literal([1, 3, 5]),
  persistence: z.strictObject({ storage: quantity, storageClassName: z.string().optional() }),
  resources: z.strictObject({ requests: amounts, limits: amounts }),
  tls: z.strictObject({ secretName: z.string(), caSecretName: z.string(), disableNonTLSListeners: z.boolean() }),
  rabbitmq: z.strictObject({
    additionalPlugins: z.array(z.string().regex(/^\w+$/)).optional(),
    additionalConfig: z.string().max(2_000),
  }),
  affinity: z.strictObject({
    podAntiAffinity: z.strictObject({
      requiredDuringSchedulingIgnoredDuringExecution: z.array(
        z.strictObject({ topologyKey: z.string(), labelSelector: matchLabels }),
      ),
    }),
  }),
  terminationGracePeriodSeconds: z.int(),
  override: z.strictObject({
    statefulSet: z.strictObject({
      spec: z.strictObject({
        template: z.strictObject({
          metadata: z.strictObject({ labels: z.record(z.string(), z.string()) }).optional(),
          spec: z.strictObject({
            securityContext: z.strictObject({
              runAsNonRoot: z.boolean(),
              seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }),
            }),
            initContainers: z.array(confined),
            containers: z.array(confined),
          }),
        }),
      }),
    }),
  }),
});

const TOPOLOGY = {
  Vhost: z.strictObject({
    name: vhost,
    defaultQueueType: z.enum(['quorum', 'classic', 'stream']),
    rabbitmqClusterReference,
  }),
  Exchange: z.strictObject({
    ...{ name: z.string(), type: z.enum(['topic', 'direct']), durable: z.boolean(), autoDelete: z.boolean() },
    ...{ vhost, rabbitmqClusterReference },
  }),
  Queue: z.strictObject({
    ...{ name: z.string(), type: z.literal('quorum'), durable: z.boolean(), deleteIfEmpty: z.boolean() },
    arguments: z.record(z.string().startsWith('x-'), z.union([z.string(), z.number()])),
    ...{ vhost, rabbitmqClusterReference },
  }),
  Binding: z.strictObject({
    ...{ source: z.string(), destination: z.string(), destinationType: z.enum(['queue', 'exchange']) },
    ...{ routingKey: z.string(), vhost, rabbitmqClusterReference },
  }),
  User: z.strictObject({
    tags: z.array(z.enum(['management', 'policymaker', 'monitoring', 'administrator'])).optional(),
    importCredentialsSecret: reference,
    rabbitmqClusterReference,
  }),
  Permission: z.strictObject({
    ...{ user: z.string(), vhost, rabbitmqClusterReference },
    permissions: z.strictObject({ configure: z.string(), write: z.string(), read: z.string() }),
  }),
};

const ObjectStore = z.strictObject({
  retentionPolicy: z.string().regex(/^[1-9]\d*[dwm]$/),
  configuration: z.strictObject({
    destinationPath: z.string().startsWith('s3://'),
    s3Credentials: z.strictObject({ inheritFromIAMRole: z.boolean() }),
    wal: z.strictObject({ compression: z.enum(['gzip', 'zstd', 'lz4']), maxParallel: z.int().min(1) }),
    data: z.strictObject({ compression: z.enum(['gzip', 'bzip2', 'snappy']) }),
  }),
});

const share = z.strictObject({
  default_value: z.strictObject({ numerator: z.int().min(0).max(100), denominator: z.literal('HUNDRED') }),
});

/** KEDA passes over what it doesn't know in a trigger, and over what it takes from a TriggerAuthentication only (`tls`). */
const triggers = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('cpu'),
    metricType: z.enum(['AverageValue', 'Utilization']),
    metadata: z.strictObject({ value: quantity }),
  }),
  z.strictObject({
    type: z.literal('rabbitmq'),
    authenticationRef: reference,
    metadata: z.strictObject({
      protocol: z.literal('http'),
      vhostName: vhost,
      queueName: z.string(),
      mode: z.enum(['QueueLength', 'MessageRate']),
      value: z.string().regex(/^\d+$/),
    }),
  }),
]);

const authenticationParameter = z.strictObject({
  parameter: z.enum(['host', 'ca', 'tls']),
  name: z.string(),
  key: z.string(),
});

/** Where a schema takes whatever it is given, what is given here: by kind, the paths and the models of what is found there. */
export const FREE_BY_SCHEMA: Record<string, Record<string, z.ZodType>> = {
  // https://keda.sh/docs/latest/scalers/rabbitmq-queue/ and https://keda.sh/docs/latest/scalers/cpu/
  ScaledObject: { 'spec.triggers.*': triggers },
  TriggerAuthentication: {
    'spec.secretTargetRef.*': authenticationParameter,
    'spec.configMapTargetRef.*': authenticationParameter,
  },
  // https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/local_rate_limit_filter
  EnvoyFilter: {
    'spec.configPatches.*.patch.value': z.strictObject({
      name: z.literal('envoy.filters.http.local_ratelimit'),
      typed_config: z.strictObject({
        '@type': z.literal('type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit'),
        stat_prefix: z.string(),
        token_bucket: z.strictObject({
          max_tokens: z.int().min(1),
          tokens_per_fill: z.int().min(1),
          fill_interval: z.string().regex(/^\d+(\.\d+)?s$/),
        }),
        filter_enabled: share,
        filter_enforced: share,
      }),
    }),
  },
};

/** By `apiVersion kind`. */
export const MODELLED_HERE: Record<string, z.ZodType> = {
  'rabbitmq.com/v1beta1 RabbitmqCluster': resource('rabbitmq.com/v1beta1', 'RabbitmqCluster', RabbitmqCluster),
  'barmancloud.cnpg.io/v1 ObjectStore': resource('barmancloud.cnpg.io/v1', 'ObjectStore', ObjectStore),
  ...Object.fromEntries(
    Object.entries(TOPOLOGY).map(([kind, spec]) => [
      `rabbitmq.com/v1beta1 ${kind}`,
      resource('rabbitmq.com/v1beta1', kind, spec),
    ]),
  ),
};
