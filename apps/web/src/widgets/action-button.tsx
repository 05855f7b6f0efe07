import { Button, type ButtonProps } from 'react-aria-components';

/**
 * A button whose action takes a while: until it is done, pressing it again does nothing, and it keeps the focus. React
 * Aria's own `isPending` announces a progress bar, which none of these has: their words and notices say what goes on.
 */
export function ActionButton({ isPending = false, onPress, type, ...props }: ButtonProps) {
  return (
    <Button
      {...props}
      type={isPending ? 'button' : (type ?? 'button')}
      aria-disabled={isPending || undefined}
      data-pending={isPending || undefined}
      {...(isPending || !onPress ? {} : { onPress })}
    />
  );
}
