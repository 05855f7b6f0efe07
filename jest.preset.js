/** Shared by every project's jest.config.js: native ES modules, compiled by swc, nothing mocked. */
export const preset = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  // Workspace packages are TypeScript too; Jest sees them by their real path, outside node_modules.
  transformIgnorePatterns: ['/node_modules/'],
};
