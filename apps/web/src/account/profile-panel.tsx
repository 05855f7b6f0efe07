import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Form } from 'react-aria-components';
import { answerOf, asDriver, asPassenger, type Driver, type Passenger } from '../api/client.ts';
import { ApiProblem } from '../api/problem.ts';
import { sessions, type Member } from '../api/session.ts';
import { ErrorNotice, Notice } from '../widgets/notice.tsx';
import { Field } from '../widgets/field.tsx';
import { useDraft } from '../widgets/use-draft.ts';
import { ActionButton } from '../widgets/action-button.tsx';

type Profile = Passenger | Driver;
type Change = Pick<Profile, 'name' | 'phone'>;

const profileKey = (member: Member) => ['profile', member];

const read = (member: Member): Promise<Profile> =>
  member === 'passenger'
    ? answerOf(asPassenger.accounts.GET('/v1/passengers/me'))
    : answerOf(asDriver.accounts.GET('/v1/drivers/me'));

const write = (member: Member, body: Change): Promise<unknown> =>
  member === 'passenger'
    ? answerOf(asPassenger.accounts.PATCH('/v1/passengers/me', { body }))
    : answerOf(asDriver.accounts.PATCH('/v1/drivers/me', { body }));

export function ProfilePanel({ member }: { member: Member }) {
  const { data: profile, error } = useQuery({ queryKey: profileKey(member), queryFn: () => read(member) });
  const leaving = useMutation({ mutationFn: () => sessions[member].signOut() });
  return (
    <>
      <h1>Profile</h1>
      <ErrorNotice error={error} />
      {!profile && !error && <div className="progress" role="status" aria-label="Loading your profile" />}
      {profile && (
        <>
          <dl className="facts">
            <dt>E-mail</dt>
            <dd>{profile.email}</dd>
            <dt>Rating</dt>
            <dd>{profile.rating === null ? 'none yet' : `★ ${profile.rating}`}</dd>
            {'vehicle' in profile && (
              <>
                <dt>Cab</dt>
                <dd>
                  {profile.vehicle.colour} {profile.vehicle.make} {profile.vehicle.model}, {profile.vehicle.plate}
                </dd>
              </>
            )}
          </dl>
          <ProfileForm member={member} profile={profile} />
        </>
      )}
      <ErrorNotice error={leaving.error} />
      <ActionButton className="button" isPending={leaving.isPending} onPress={() => leaving.mutate()}>
        Sign out
      </ActionButton>
    </>
  );
}

function ProfileForm({ member, profile }: { member: Member; profile: Profile }) {
  const queries = useQueryClient();
  const [typed, setTyped] = useDraft<Partial<Change>>(`${member}.profile`, {});
  const saving = useMutation({
    mutationFn: (change: Change) => write(member, change),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: profileKey(member) });
      setTyped({});
    },
  });
  const { error } = saving;
  const change = { name: typed.name ?? profile.name, phone: typed.phone ?? profile.phone };
  return (
    <Form
      className="form"
      validationErrors={error instanceof ApiProblem ? error.fields : {}}
      onSubmit={(event) => {
        event.preventDefault();
        saving.mutate(change);
      }}
    >
      <Field
        name="name"
        label="Name"
        isRequired
        value={change.name}
        onChange={(name) => setTyped({ ...typed, name })}
      />
      <Field
        name="phone"
        label="Phone"
        type="tel"
        isRequired
        value={change.phone}
        onChange={(phone) => setTyped({ ...typed, phone })}
      />
      <ErrorNotice error={error} />
      {saving.isSuccess && Object.keys(typed).length === 0 && <Notice tone="good">Saved.</Notice>}
      <ActionButton type="submit" className="button primary" isPending={saving.isPending}>
        Save
      </ActionButton>
    </Form>
  );
}
