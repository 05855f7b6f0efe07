import { Button } from 'react-aria-components';
import { chooseTheme, useTheme } from './theme.ts';

/** From the system's theme to the other one, and back and forth. */
export function ThemeToggle() {
  const theme = useTheme();
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <Button className="icon-button" aria-label={`Switch to the ${other} theme`} onPress={() => chooseTheme(other)}>
      <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" className="icon">
        {theme === 'dark' ? (
          <path d="M12 4V2m0 20v-2m8-8h2M2 12h2m13.7-5.7 1.4-1.4M4.9 19.1l1.4-1.4m0-11.4L4.9 4.9m14.2 14.2-1.4-1.4M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8Z" />
        ) : (
          <path d="M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5Z" />
        )}
      </svg>
    </Button>
  );
}
