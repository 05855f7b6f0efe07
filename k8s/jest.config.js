import { fileURLToPath } from 'node:url';
import { suites } from '../jest.preset.js';

const config = suites(import.meta.dirname, 'unit');
// Every test reads the same objects: kustomize is asked for them once.
const globalSetup = fileURLToPath(new URL('test/render-all.ts', import.meta.url));

export default { ...config, projects: config.projects.map((project) => ({ ...project, globalSetup })) };
