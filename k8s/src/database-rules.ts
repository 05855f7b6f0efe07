import type { ICluster } from '@kubernetes-models/cloudnative-pg/postgresql.cnpg.io/v1/Cluster';
import type { IScheduledBackup } from '@kubernetes-models/cloudnative-pg/postgresql.cnpg.io/v1/ScheduledBackup';
import { ofKind, type KubernetesObject } from './objects.ts';
import type { Rule } from './workload-rules.ts';

interface ObjectStore {
  spec: { configuration: { destinationPath: string } };
}

const clustersOf = (objects: KubernetesObject[]) => ofKind<ICluster>(objects, 'Cluster', 'postgresql.cnpg.io');
const storesOf = (objects: KubernetesObject[]) => ofKind<ObjectStore>(objects, 'ObjectStore');

/** What has to hold for every PostgreSQL cluster, one that is restored from a backup among them. */
export const DATABASE_RULES: Record<string, Rule> = {
  'a database is named for its service, and so is the role that owns it': (objects) =>
    clustersOf(objects).flatMap(({ metadata, spec }) => {
      const service = metadata.annotations?.['cabstand/service'];
      const { database, owner } = spec?.bootstrap?.initdb ?? spec?.bootstrap?.recovery ?? {};
      return service && database === service && owner === service ? [] : [`${metadata.name}: ${database} of ${owner}`];
    }),

  'a restored database comes from a cluster and a store that are there': (objects) =>
    clustersOf(objects).flatMap(({ metadata, spec }) => {
      const { source } = spec?.bootstrap?.recovery ?? {};
      if (!spec?.bootstrap?.recovery) return [];
      const { barmanObjectName, serverName } =
        spec.externalClusters?.find(({ name }) => name === source)?.plugin?.parameters ?? {};
      const service = metadata.annotations?.['cabstand/service'];
      const isThere =
        storesOf(objects).some(({ metadata: { name } }) => name === barmanObjectName) &&
        clustersOf(objects).some(
          (each) =>
            each.metadata.name === serverName &&
            each.metadata.name !== metadata.name &&
            each.metadata.annotations?.['cabstand/service'] === service,
        );
      return isThere ? [] : [`${metadata.name}: ${serverName} in ${barmanObjectName}`];
    }),

  'each cluster archives its log in a store of its own': (objects) => {
    const used = clustersOf(objects).map(({ metadata, spec }) => {
      const archiver = spec?.plugins?.find(({ isWALArchiver }) => isWALArchiver);
      const store = storesOf(objects).find((each) => each.metadata.name === archiver?.parameters?.barmanObjectName);
      return { name: metadata.name, path: store?.spec.configuration.destinationPath };
    });
    return used
      .filter(({ path }) => !path || used.filter((each) => each.path === path).length > 1)
      .map(({ name, path }) => `${name}: ${path}`);
  },

  'each cluster has a backup at once and every night, by the plug-in that keeps its log': (objects) =>
    clustersOf(objects)
      .filter(
        ({ metadata, spec }) =>
          !ofKind<IScheduledBackup>(objects, 'ScheduledBackup').some(
            ({ spec: backup }) =>
              backup.cluster.name === metadata.name &&
              backup.immediate &&
              /^\d+ \d+ \d+ \* \* \*$/.test(backup.schedule) &&
              spec?.plugins?.some(
                ({ name, isWALArchiver }) => isWALArchiver && name === backup.pluginConfiguration?.name,
              ),
          ),
      )
      .map(({ metadata }) => metadata.name),

  'whoever writes backups with no key of its own is somebody to the cloud': (objects) =>
    clustersOf(objects)
      .filter(({ spec }) => Object.keys(spec?.serviceAccountTemplate?.metadata?.annotations ?? {}).length === 0)
      .map(({ metadata }) => metadata.name),
};
