export * from './broker.ts';
export * from './database.ts';
export * from './eventually.ts';
export * from './link.ts';
export * from './own-broker.ts';
export * from './poison.ts';
export * from './runtime.ts';
export * from './tokens.ts';
