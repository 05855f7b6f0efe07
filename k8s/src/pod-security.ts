/**
 * The Pod Security Standards, https://kubernetes.io/docs/concepts/security/pod-security-standards/ (v1.36), for what is
 * known of a pod before it runs. test/pod-security.spec.ts holds it against the pods of the Kubernetes project.
 */
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IEphemeralContainer } from 'kubernetes-models/v1/EphemeralContainer';
import type { IPodSecurityContext } from 'kubernetes-models/v1/PodSecurityContext';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import type { ISecurityContext } from 'kubernetes-models/v1/SecurityContext';

export interface Pod {
  metadata?: { annotations?: Record<string, string> };
  spec: IPodSpec;
}
export type Level = 'baseline' | 'restricted';
type Container = IContainer | IEphemeralContainer;
type Check = (pod: Pod) => boolean;

const SAFE_CAPABILITIES = new Set([
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE', 'SETFCAP'],
  ...['SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
]);
const SAFE_SYSCTLS = new Set([
  ...['kernel.shm_rmid_forced', 'net.ipv4.ip_local_port_range', 'net.ipv4.ip_unprivileged_port_start'],
  ...['net.ipv4.tcp_syncookies', 'net.ipv4.ping_group_range', 'net.ipv4.ip_local_reserved_ports'],
  ...['net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl'],
  ...['net.ipv4.tcp_keepalive_probes', 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'],
]);
const SAFE_SELINUX_TYPES = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'];
const SAFE_VOLUMES = new Set([
  ...[
    'name',
    'configMap',
    'csi',
    'downwardAPI',
    'emptyDir',
    'ephemeral',
    'persistentVolumeClaim',
    'projected',
    'secret',
  ],
]);
const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/';

const all = ({ spec }: Pod): Container[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
  ...(spec.ephemeralContainers ?? []),
];
const contexts = (pod: Pod): (ISecurityContext & IPodSecurityContext)[] =>
  [pod.spec.securityContext, ...all(pod).map(({ securityContext }) => securityContext)].flatMap((each) => each ?? []);
const isWindows = ({ spec }: Pod) => spec.os?.name === 'windows';
const isOneOf = <Value>(value: Value | undefined, allowed: readonly Value[]) =>
  value === undefined || allowed.includes(value);

/** What each container ends up with: its own setting, or the pod's. */
const everyContainer = (pod: Pod, isFine: (own: ISecurityContext & IPodSecurityContext) => boolean): boolean =>
  all(pod).every(({ securityContext }) => isFine({ ...pod.spec.securityContext, ...securityContext }));

const hostsOfHandlers = (container: Container): (string | undefined)[] => {
  const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container as IContainer;
  return [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].flatMap((handler) => [
    handler?.httpGet?.host,
    handler?.tcpSocket?.host,
  ]);
};

const BASELINE: Record<string, Check> = {
  'HostProcess containers': (pod) => contexts(pod).every(({ windowsOptions }) => !windowsOptions?.hostProcess),
  "the host's namespaces": ({ spec }) => !spec.hostNetwork && !spec.hostPID && !spec.hostIPC,
  'privileged containers': (pod) => contexts(pod).every(({ privileged }) => !privileged),
  'added capabilities': (pod) =>
    contexts(pod).every(({ capabilities }) => (capabilities?.add ?? []).every((name) => SAFE_CAPABILITIES.has(name))),
  'hostPath volumes': ({ spec }) => (spec.volumes ?? []).every(({ hostPath }) => !hostPath),
  'ports of the host': (pod) => all(pod).every(({ ports }) => (ports ?? []).every(({ hostPort }) => !hostPort)),
  'probes and hooks that name a host': (pod) =>
    all(pod)
      .flatMap(hostsOfHandlers)
      .every((host) => !host),
  'AppArmor profiles': ({ metadata, ...pod }) =>
    contexts(pod).every(({ appArmorProfile }) => isOneOf(appArmorProfile?.type, ['RuntimeDefault', 'Localhost'])) &&
    Object.entries(metadata?.annotations ?? {})
      .filter(([name]) => name.startsWith(APPARMOR))
      .every(([, profile]) => /^(runtime\/default|localhost\/.*|)$/.test(profile)),
  'SELinux options': (pod) =>
    contexts(pod).every(
      ({ seLinuxOptions: own }) => isOneOf(own?.type, SAFE_SELINUX_TYPES) && !own?.user && !own?.role,
    ),
  'the mount of /proc': (pod) =>
    pod.spec.hostUsers === false || contexts(pod).every(({ procMount }) => isOneOf(procMount, ['Default'])),
  'seccomp switched off': (pod) =>
    contexts(pod).every(({ seccompProfile }) => isOneOf(seccompProfile?.type, ['RuntimeDefault', 'Localhost'])),
  sysctls: (pod) => contexts(pod).every(({ sysctls }) => (sysctls ?? []).every(({ name }) => SAFE_SYSCTLS.has(name))),
};

const RESTRICTED: Record<string, Check> = {
  'volumes of other types': ({ spec }) =>
    (spec.volumes ?? []).every((volume) => Object.keys(volume).every((type) => SAFE_VOLUMES.has(type))),
  'escalation of privileges': (pod) =>
    isWindows(pod) || everyContainer(pod, ({ allowPrivilegeEscalation }) => allowPrivilegeEscalation === false),
  'not said to run as somebody else than root': (pod) =>
    pod.spec.hostUsers === false || everyContainer(pod, ({ runAsNonRoot }) => runAsNonRoot === true),
  'root by its number': (pod) =>
    pod.spec.hostUsers === false || contexts(pod).every(({ runAsUser }) => runAsUser !== 0),
  'no seccomp profile': (pod) =>
    isWindows(pod) ||
    everyContainer(pod, ({ seccompProfile }) => ['RuntimeDefault', 'Localhost'].includes(seccompProfile?.type ?? '')),
  'capabilities that are not dropped': (pod) =>
    isWindows(pod) ||
    all(pod).every(({ securityContext }) => {
      const { add = [], drop = [] } = securityContext?.capabilities ?? {};
      return drop.includes('ALL') && add.every((name) => name === 'NET_BIND_SERVICE');
    }),
  'the mount of /proc, even in a user namespace': (pod) =>
    contexts(pod).every(({ procMount }) => isOneOf(procMount, ['Default'])),
};

/** What of a level a pod violates, in words. */
export function violations(level: Level, pod: Pod): string[] {
  const checks = level === 'baseline' ? BASELINE : { ...BASELINE, ...RESTRICTED };
  return Object.entries(checks).flatMap(([violation, isFine]) => (isFine(pod) ? [] : [violation]));
}
