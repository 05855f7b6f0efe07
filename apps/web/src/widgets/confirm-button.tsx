import { useState } from 'react';
import { Button } from 'react-aria-components';
import { ActionButton } from './action-button.tsx';

interface ConfirmButtonProps {
  label: string;
  question: string;
  yes: string;
  no: string;
  isPending: boolean;
  onConfirm: () => void;
}

/** For what can't be undone: asks back in place. */
export function ConfirmButton({ label, question, yes, no, isPending, onConfirm }: ConfirmButtonProps) {
  const [isAsking, setIsAsking] = useState(false);
  if (!isAsking) {
    return (
      <Button className="button danger" onPress={() => setIsAsking(true)}>
        {label}
      </Button>
    );
  }
  return (
    <div className="card" role="group" aria-label={question}>
      <p>{question}</p>
      <div className="buttons">
        <Button className="button" onPress={() => setIsAsking(false)} autoFocus>
          {no}
        </Button>
        <ActionButton className="button danger" isPending={isPending} onPress={onConfirm}>
          {yes}
        </ActionButton>
      </div>
    </div>
  );
}
