import { FieldError, Input, Label, Text, TextField, type TextFieldProps } from 'react-aria-components';

interface FieldProps extends TextFieldProps {
  label: string;
  hint?: string;
}

/** A labelled line of text. Its `name` is the path under which a service says what is wrong with it. */
export function Field({ label, hint, ...props }: FieldProps) {
  return (
    <TextField {...props} className="field">
      <Label>{label}</Label>
      <Input />
      {hint && (
        <Text slot="description" className="hint">
          {hint}
        </Text>
      )}
      <FieldError className="field-error" />
    </TextField>
  );
}
