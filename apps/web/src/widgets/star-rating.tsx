import { Label, Radio, RadioGroup } from 'react-aria-components';

const STARS = [1, 2, 3, 4, 5];

/** One to five stars; 0 while none is chosen. */
export function StarRating({ stars, onChange }: { stars: number; onChange: (stars: number) => void }) {
  return (
    <RadioGroup
      className="field"
      orientation="horizontal"
      value={stars === 0 ? null : String(stars)}
      onChange={(value) => onChange(Number(value))}
    >
      <Label className="label">Stars</Label>
      <div className="stars">
        {STARS.map((value) => (
          <Radio
            key={value}
            value={String(value)}
            className="star"
            aria-label={value === 1 ? '1 star' : `${value} stars`}
            data-lit={value <= stars || undefined}
          >
            ★
          </Radio>
        ))}
      </div>
    </RadioGroup>
  );
}
