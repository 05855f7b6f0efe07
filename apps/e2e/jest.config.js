import { suites } from '../../jest.preset.js';

export default suites(import.meta.dirname, 'e2e', 'platform');
