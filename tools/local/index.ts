export * from './identity-provider.ts';
export * from './local-server.ts';
