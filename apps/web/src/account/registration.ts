import { answerOf, driverApi, passengerApi } from '../api/client.ts';
import { sessions, type Member } from '../api/session.ts';

/** What was typed so far, by path in the service's body. */
export type Registration = Record<string, string>;

/** Makes the account and signs in. @throws ApiProblem */
export async function register(member: Member, typed: Registration, password: string): Promise<void> {
  const text = (path: string) => typed[path]?.trim() ?? '';
  const person = { email: text('email'), name: text('name'), phone: text('phone'), password };
  if (member === 'passenger') {
    await answerOf(passengerApi().POST('/v1/passengers', { body: person }));
  } else {
    const vehicle = {
      make: text('vehicle.make'),
      model: text('vehicle.model'),
      colour: text('vehicle.colour'),
      plate: text('vehicle.plate'),
    };
    const body = { ...person, licenceNumber: text('licenceNumber'), vehicle };
    await answerOf(driverApi().POST('/v1/drivers', { body }));
  }
  await sessions[member].signIn(person.email, password);
}
