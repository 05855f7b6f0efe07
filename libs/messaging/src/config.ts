/** The one setting that this library reads by itself: no application passes on what is for `chaos/` alone. */
export const failPointSetting = process.env.NODE_ENV === 'production' ? undefined : process.env.CABSTAND_FAIL_POINT;
