import { suites } from '../../jest.preset.js';

export default suites(import.meta.dirname, 'unit', 'integration');
