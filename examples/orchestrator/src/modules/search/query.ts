import { z } from 'zod';

const wholeNumber = (max: number) =>
  z
    .string()
    .regex(/^\d{1,3}$/, `must be a whole number from 1 to ${max}`)
    .transform(Number)
    .refine((number) => number >= 1 && number <= max, `must be a whole number from 1 to ${max}`);

/** The number of the last page that one may ask for. */
export const MAX_PAGE = 100;

/** What one may ask for. */
export const Query = z.object({
  q: z
    .string('must be given once')
    .trim()
    .min(1, 'must not be empty')
    .max(1_000, 'must have at most 1000 characters'),
  page: wholeNumber(MAX_PAGE).default(1),
  per_page: wholeNumber(50).default(10),
  category: z
    .string()
    .regex(/^[\w -]{1,40}(,[\w -]{1,40}){0,9}$/, 'must be one or more categories with commas between them')
    .optional(),
  language: z
    .string()
    .regex(/^(all|auto|[a-z]{2,3}(-[A-Za-z]{2,4})?)$/, 'must be a language such as de or de-CH, or all')
    .optional(),
});

export type Asked = z.infer<typeof Query>;
