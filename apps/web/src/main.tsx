import './styles/base.css';
import './styles/components.css';
import './styles/layout.css';
import './styles/map.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { fetchPageConfig } from './page-config.ts';

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App config={fetchPageConfig()} />
  </StrictMode>,
);
