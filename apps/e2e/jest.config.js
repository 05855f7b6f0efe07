import { suites } from '../../jest.preset.js';

export default suites(import.meta.dirname, 'unit', 'e2e', 'platform', 'soak');
