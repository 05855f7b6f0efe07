import { accountsConfig, baseConfig, port } from '@cabstand/service-defaults';
import { z } from 'zod';

/** The passenger service's environment. Nothing else reads process.env. */
export const Config = z.object({
  ...baseConfig,
  PORT: port(3001),
  MANAGEMENT_PORT: port(9101),
  ...accountsConfig,
});
export type Config = z.infer<typeof Config>;
