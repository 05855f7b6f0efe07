import { SERVICES, type ServiceName } from '@cabstand/contracts';

export type PerService<T> = Record<ServiceName, T>;

export const perService = <T>(make: (service: ServiceName, index: number) => T): PerService<T> =>
  Object.fromEntries(SERVICES.map((service, index) => [service, make(service, index)])) as PerService<T>;

/** The same at once for all, of what has to be waited for. */
export async function perServiceAsync<T>(make: (service: ServiceName) => Promise<T>): Promise<PerService<T>> {
  const made = await Promise.all(SERVICES.map(async (service) => [service, await make(service)] as const));
  return Object.fromEntries(made) as PerService<T>;
}
