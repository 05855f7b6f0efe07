import { useMutation } from '@tanstack/react-query';
import { Button, Form, Tab, TabList, TabPanel, Tabs } from 'react-aria-components';
import { ApiProblem } from '../api/problem.ts';
import { sessions, type Member } from '../api/session.ts';
import { ErrorNotice } from '../widgets/notice.tsx';
import { Field } from '../widgets/field.tsx';
import { useDraft } from '../widgets/use-draft.ts';
import { visitorTo } from './personal-data.ts';
import { register, type Registration } from './registration.ts';
import { ActionButton } from '../widgets/action-button.tsx';

const INTRODUCTIONS: Record<Member, string> = {
  passenger: 'A cab to wherever you want to be. The price is fixed before you ride.',
  driver: 'Go online when you want to, take the trips that suit you.',
};

export function AuthPanel({ member }: { member: Member }) {
  const [tab, setTab] = useDraft(`${visitorTo(member)}.tab`, 'sign-in');
  return (
    <>
      <p className="muted">{INTRODUCTIONS[member]}</p>
      <Tabs selectedKey={tab} onSelectionChange={(key) => setTab(String(key))} className="stack">
        <TabList aria-label="Sign in or create an account" className="tabs">
          <Tab id="sign-in" className="tab">
            Sign in
          </Tab>
          <Tab id="register" className="tab">
            Create account
          </Tab>
        </TabList>
        <TabPanel id="sign-in">
          <SignInForm member={member} />
        </TabPanel>
        <TabPanel id="register">
          <RegistrationForm member={member} onTaken={() => setTab('sign-in')} />
        </TabPanel>
      </Tabs>
    </>
  );
}

/** A form's texts by their names. */
const textsOf = (form: HTMLFormElement) =>
  Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));

function SignInForm({ member }: { member: Member }) {
  const [email, setEmail] = useDraft(`${visitorTo(member)}.email`, '');
  const signIn = useMutation({ mutationFn: (password: string) => sessions[member].signIn(email, password) });
  return (
    <Form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        signIn.mutate(textsOf(event.currentTarget)['password'] ?? '');
      }}
    >
      <Field
        name="email"
        label="E-mail"
        type="email"
        autoComplete="username"
        isRequired
        value={email}
        onChange={setEmail}
      />
      <Field name="password" label="Password" type="password" autoComplete="current-password" isRequired />
      <ErrorNotice error={signIn.error} />
      <ActionButton type="submit" className="button primary big" isPending={signIn.isPending}>
        {signIn.isPending ? 'Signing in…' : 'Sign in'}
      </ActionButton>
    </Form>
  );
}

interface Question {
  path: string;
  label: string;
  type?: string;
  autoComplete?: string;
  hint?: string;
}

const PERSON: Question[] = [
  { path: 'name', label: 'Name', autoComplete: 'name' },
  { path: 'email', label: 'E-mail', type: 'email', autoComplete: 'username' },
  { path: 'phone', label: 'Phone', type: 'tel', autoComplete: 'tel' },
];
const VEHICLE: Question[] = [
  { path: 'vehicle.make', label: 'Make' },
  { path: 'vehicle.model', label: 'Model' },
  { path: 'vehicle.colour', label: 'Colour' },
  { path: 'vehicle.plate', label: 'Plate' },
];
const LICENCE: Question = { path: 'licenceNumber', label: 'Licence number' };

function RegistrationForm({ member, onTaken }: { member: Member; onTaken: () => void }) {
  const [draft, setDraft] = useDraft<Registration>(`${visitorTo(member)}.registration`, {});
  // The draft doesn't know the password, which is in nothing that outlives the page.
  const registering = useMutation({ mutationFn: (password: string) => register(member, draft, password) });
  const { error } = registering;
  const isTaken = error instanceof ApiProblem && error.code === 'EMAIL_TAKEN';
  const ask = ({ path, ...question }: Question) => (
    <Field
      key={path}
      name={path}
      isRequired
      {...question}
      value={draft[path] ?? ''}
      onChange={(text) => setDraft({ ...draft, [path]: text })}
    />
  );
  return (
    <Form
      className="form"
      validationErrors={error instanceof ApiProblem ? error.fields : {}}
      onSubmit={(event) => {
        event.preventDefault();
        registering.mutate(textsOf(event.currentTarget)['password'] ?? '');
      }}
    >
      {PERSON.map(ask)}
      <Field
        name="password"
        label="Password"
        type="password"
        autoComplete="new-password"
        isRequired
        minLength={8}
        hint="At least 8 characters; a few words make a good one."
      />
      {member === 'driver' && (
        <fieldset className="form">
          <legend className="label">You and your cab</legend>
          {ask(LICENCE)}
          <div className="two">{VEHICLE.map(ask)}</div>
        </fieldset>
      )}
      <ErrorNotice error={error} />
      {isTaken && (
        <Button className="button" onPress={onTaken}>
          Go to sign-in
        </Button>
      )}
      <ActionButton type="submit" className="button primary big" isPending={registering.isPending}>
        {registering.isPending ? 'Creating your account…' : 'Create account'}
      </ActionButton>
    </Form>
  );
}
