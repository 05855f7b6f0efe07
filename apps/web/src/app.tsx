import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { lazy, Suspense, use } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import { keepPeopleApart } from './account/personal-data.ts';
import { ApiProblem } from './api/problem.ts';
import { Shell } from './layout/shell.tsx';
import { FailedPage } from './layout/failed-page.tsx';
import { PageConfigProvider, type PageConfig } from './page-config.ts';
import { ErrorBoundary } from './widgets/error-boundary.tsx';

const OperatorPage = lazy(() => import('./operator/operator-page.tsx'));
const RidePage = lazy(() => import('./ride/ride-page.tsx'));
const DrivePage = lazy(() => import('./drive/drive-page.tsx'));
const NotFoundPage = lazy(() => import('./layout/not-found-page.tsx'));

const MOST_RETRIES = 3;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      // What is refused stays refused; what nobody answered may be answered a little later.
      retry: (failures, error) => error instanceof ApiProblem && error.isTemporary && failures < MOST_RETRIES,
      staleTime: 5_000,
    },
    mutations: { retry: false },
  },
});

keepPeopleApart(queries);

export function App({ config }: { config: Promise<PageConfig> }) {
  const [location] = useLocation();
  return (
    <QueryClientProvider client={queries}>
      <Shell>
        <ErrorBoundary fallback={<FailedPage />} at={location}>
          <Suspense fallback={<p className="page-note">Loading…</p>}>
            <Pages config={config} />
          </Suspense>
        </ErrorBoundary>
      </Shell>
    </QueryClientProvider>
  );
}

function Pages({ config }: { config: Promise<PageConfig> }) {
  return (
    <PageConfigProvider value={use(config)}>
      <Switch>
        <Route path="/" component={OperatorPage} />
        <Route path="/ride" nest component={RidePage} />
        <Route path="/drive" nest component={DrivePage} />
        <Route component={NotFoundPage} />
      </Switch>
    </PageConfigProvider>
  );
}
